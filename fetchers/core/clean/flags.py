"""The words for what is odd about a value (FLAGS) and for why a row cannot be kept (REJECTS), for people.

MEND says of each what the registrar can do about it at the source.
"""

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
    "no_code": Label("کد ملی ندارد", "There is no national code"),
    "odd_format": Label("شکل کد ملی را ندارد؛ نگه داشته شد", "Does not look like a national code; kept"),
    "bad_code": Label("کد خوانا نیست؛ خالی گذاشته شد", "The code cannot be read; left empty"),
    "bad_number": Label("عدد نیست؛ خالی گذاشته شد", "Not a whole number; left empty"),
    "bad_date": Label("روزی از تقویم نیست؛ خالی گذاشته شد", "Not a day of the calendar; left empty"),
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
    "other_campus": Label(
        "کد پردیس در رکورد با پردیسی که پرسیده شد یکی نیست؛ هر دو نگه داشته شد",
        "The record names another campus than the one asked for; both are kept",
    ),
    "unequal_duplicate": Label(
        "دو رکورد متفاوت با یک کلید آمد؛ یکی از آن‌ها ماند",
        "Two different records came with one key; one of them was kept",
    ),
    "two_names": Label(
        "زیر یک شماره بیش از یک نام هست؛ همه نگه داشته شد",
        "More than one name stands under one number; all are kept",
    ),
    "two_ids": Label(
        "یک کد ملی زیر بیش از یک شناسه هست؛ همه نگه داشته شد",
        "One national code stands under more than one ID; all are kept",
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

_WRITE_DATE = Label(
    "در سامانه، تاریخ را به شکل ۱۴۰۲/۰۷/۰۱ بنویسید.", "Write the date like 1402/07/01 at the source."
)
_SEE_CARD = Label(
    "کد ملی را از روی کارت ملی یا شناسنامه بازبینی و در سامانه درست کنید.",
    "Check the national code against the identity card, and mend it at the source.",
)
_WRITE_CODE = Label(
    "در سامانه، کد را تنها با رقم یا حرف لاتین و بی‌فاصله بنویسید.",
    "Write the code at the source in plain digits or letters, without blanks.",
)
_ONE_RECORD = Label(
    "در سامانه ببینید کدام رکورد درست است و دیگری را حذف یا یکی کنید.",
    "Find out at the source which record is right, and remove or merge the other.",
)
_TELL_VENDOR = Label(
    "از پشتیبانی سامانه بخواهید خروجی درگاه را درست کند؛ این خطای ورود اطلاعات نیست.",
    "Ask the system's support to mend the gateway's output; nobody typed this.",
)

# What to do about it where it was typed.
MEND: dict[str, Label] = {
    "padded": Label(
        "لازم نیست؛ بهتر است کد در سامانه با صفرهای آغازش نوشته شود.",
        "Nothing has to be done; better write the code with its leading zeros at the source.",
    ),
    "bad_checksum": _SEE_CARD,
    "repeated": _SEE_CARD,
    "no_code": Label("کد ملی را در سامانه وارد کنید.", "Enter the national code at the source."),
    "odd_format": Label(
        "اگر کد فراگیر اتباع است درست است؛ وگرنه کد ملی را در سامانه درست کنید.",
        "Right if it is a foreign national's number; else mend the national code at the source.",
    ),
    "bad_code": _WRITE_CODE,
    "bad_number": Label(
        "در سامانه، این خانه را تنها با عدد پر کنید.", "Fill this cell with a whole number at the source."
    ),
    "bad_date": Label(
        "روز درست را در سامانه، به شکل ۱۴۰۲/۰۷/۰۱، وارد کنید.",
        "Enter the right day at the source, written like 1402/07/01.",
    ),
    "placeholder_date": Label("تاریخ واقعی را در سامانه وارد کنید.", "Enter the real date at the source."),
    "year2": _WRITE_DATE,
    "year3": _WRITE_DATE,
    "dayfirst": _WRITE_DATE,
    "gregorian": _WRITE_DATE,
    "two_numbers": Label(
        "در سامانه، در هر خانه یک شماره بنویسید.", "Write one number in one cell at the source."
    ),
    "landline": Label(
        "اگر شمارهٔ همراه هم هست، در سامانه آن را بنویسید.",
        "If there is a mobile number, write that at the source.",
    ),
    "bad_phone": Label(
        "شماره را در سامانه به شکل 09121234567 بنویسید.", "Write the number like 09121234567 at the source."
    ),
    "bad_email": Label(
        "نشانی را در سامانه درست کنید یا خانه را خالی بگذارید.",
        "Mend the address at the source, or leave the cell empty.",
    ),
    "unknown_province": Label(
        "نام استان را در سامانه همان‌گونه که در تقسیمات کشوری است بنویسید.",
        "Write the province's official name at the source.",
    ),
    "too_long": Label("متن را در سامانه کوتاه کنید.", "Shorten the text at the source."),
    "surrogate": Label("متن را در سامانه دوباره بنویسید.", "Type the text again at the source."),
    "double_key": _TELL_VENDOR,
    "differs_from_asked": _TELL_VENDOR,
    "other_campus": Label(
        "در سامانه ببینید دانشجو از آن کدام پردیس است (مهمان و انتقالی هم چنین‌اند) و کد پردیس را درست کنید.",
        "Find out at the source whose student this is (guests and transfers look so too), and mend the campus code.",
    ),
    "unequal_duplicate": _ONE_RECORD,
    "two_names": Label(
        "در سامانه ببینید این‌ها یک نفرند یا دو نفر؛ نام را یکسان کنید یا به یکی شمارهٔ تازه بدهید.",
        "Find out whether this is one person or two: write one name, or give one of them another number.",
    ),
    "two_ids": Label(
        "در سامانه ببینید این‌ها یک نفرند یا دو نفر؛ دو رکورد را یکی کنید یا کد ملی را درست کنید.",
        "Find out whether this is one person or two: merge the records, or mend the national code.",
    ),
    "wrong_type": _TELL_VENDOR,
    "no_key": Label(
        "در سامانه به این رکورد شماره بدهید؛ تا آن زمان در پایگاه داده نمی‌آید.",
        "Give this record its number at the source; until then it does not reach the database.",
    ),
    "bad_key": Label(
        "شمارهٔ این رکورد را در سامانه درست کنید؛ تا آن زمان در پایگاه داده نمی‌آید.",
        "Mend this record's number at the source; until then it does not reach the database.",
    ),
    "not_an_object": _TELL_VENDOR,
}


def what(reason: str) -> Label:
    """What a reason means; the reason itself where nobody knows it any more."""
    return FLAGS.get(reason) or REJECTS.get(reason) or Label(reason, reason)


def mend(reason: str) -> Label | None:
    """What to do about it at the source."""
    return MEND.get(reason)
