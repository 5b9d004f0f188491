"""The words for what is odd about a value (FLAGS) and for why a row cannot be kept (REJECTS), for people."""

from fetchers.core.fetcher import Label

# flag: the value is stored as cleaned, or as NULL where the text says so; the raw value is kept beside it.
FLAGS: dict[str, Label] = {
    "padded": Label(
        "صفرهای آغاز کد افتاده بود و بازگردانده شد", "Leading zeros were lost and have been put back"
    ),
    "bad_checksum": Label(
        "رقم کنترل کد ملی درست نیست؛ نگه داشته شد", "The national code's check digit is wrong; kept"
    ),
    "repeated": Label(
        "همهٔ رقم‌های کد ملی یکی است؛ نگه داشته شد", "All digits of the national code are equal; kept"
    ),
    "odd_format": Label("شکل کد ملی را ندارد؛ نگه داشته شد", "Does not look like a national code; kept"),
    "bad_code": Label("کد خوانا نیست؛ خالی گذاشته شد", "The code cannot be read; left empty"),
    "bad_number": Label("عدد نیست؛ خالی گذاشته شد", "Not a whole number; left empty"),
    "bad_date": Label("چنین روزی در تقویم نیست؛ خالی گذاشته شد", "The calendar has no such day; left empty"),
    "placeholder_date": Label("تاریخ ساختگی؛ خالی گذاشته شد", "A made-up date; left empty"),
    "year2": Label("سال دورقمی؛ سده حدس زده شد", "A year of two digits; the century is a guess"),
    "year3": Label("سال سه‌رقمی؛ هزاره افزوده شد", "A year of three digits; the millennium was added"),
    "dayfirst": Label("روز پیش از سال نوشته شده بود", "The day was written before the year"),
    "gregorian": Label("تاریخ میلادی بود و برگردانده شد", "The date was Gregorian and has been converted"),
    "two_numbers": Label(
        "بیش از یک شماره در یک خانه؛ همان‌گونه ماند", "More than one number in one cell; kept as written"
    ),
    "landline": Label("تلفن ثابت است، نه همراه", "A landline, not a mobile number"),
    "bad_phone": Label("شمارهٔ تلفن نیست؛ همان‌گونه ماند", "Not a phone number; kept as written"),
    "bad_email": Label("نشانی رایانامه نیست؛ همان‌گونه ماند", "Not an e-mail address; kept as written"),
    "unknown_province": Label(
        "استانی به این نام نیست؛ خالی گذاشته شد", "No province has this name; left empty"
    ),
    "too_long": Label("بلندتر از اندازه بود و کوتاه شد", "Longer than allowed; cut"),
    "surrogate": Label("نویسهٔ خراب در متن", "A broken character in the text"),
    "double_key": Label(
        "یک نام دو بار با مقدارهای جدا آمده بود؛ یکی از آن‌ها ماند",
        "One name came twice with different values; one of them was kept",
    ),
    "differs_from_asked": Label(
        "مقدار رکورد با آنچه پرسیده شد یکی نیست؛ آنچه پرسیده شد نگه داشته شد",
        "The record says something else than what was asked for; what was asked for is kept",
    ),
    "unequal_duplicate": Label(
        "دو رکورد متفاوت با یک کلید آمد؛ یکی از آن‌ها ماند",
        "Two different records came with one key; one of them was kept",
    ),
}

# reason: the whole row is left out and listed among the rejected ones.
REJECTS: dict[str, Label] = {
    "wrong_type": Label(
        "نوع مقدار نادرست است (عدد اعشاری، درست/نادرست یا فهرست)", "A decimal, a true/false or a list"
    ),
    "no_key": Label("فیلد کلیدی خالی است", "The key field is empty"),
    "bad_key": Label("فیلد کلیدی خوانا نیست", "The key field cannot be read"),
    "not_an_object": Label("رکورد نیست", "Not a record"),
}
