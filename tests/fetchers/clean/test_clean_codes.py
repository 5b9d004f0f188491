"""Codes, phone numbers, mail addresses and national codes: the domain's vectors."""

import pytest

from fetchers.core.clean import Code, Email, Integer, NationalCode, Phone
from fetchers.core.clean.codes import is_national_code
from fetchers.core.fetcher import Label

L = Label("فیلد", "Field")
SYNTHETIC = [
    "9991000070",
    "9991000021",
    "9991000089",
    "9991000038",
    "9991000097",
    "9991000046",
    "9991000135",
    "9991000054",
    "9991000003",
    "9991000062",
    "9991000011",
]
PUBLISHED = [
    "0499370899",
    "0790419904",
    "0084575948",
    "0684159414",
    "0067749828",
    "7400076205",
    "1234567891",
    "0123456789",
    "0012345679",
    "0098765434",
    "0001234560",
]
WRONG = ["1234567890", "4271427685", "0200203041", "0684159415", "9990419904", "0123000000", "0010000000"]


@pytest.mark.parametrize("code", SYNTHETIC + PUBLISHED)
def test_a_right_national_code_is_stored_without_a_flag(code):
    assert is_national_code(code)
    assert NationalCode(L).clean(code) == (code, None)


@pytest.mark.parametrize("code", WRONG)
def test_a_wrong_check_digit_is_flagged_and_kept(code):
    assert not is_national_code(code)
    assert NationalCode(L).clean(code) == (code, "bad_checksum")


@pytest.mark.parametrize("text", ["99910000701", "abcdefghij", "²234567890", "999100007", ""])
def test_what_is_not_ten_digits_is_no_national_code(text):
    assert not is_national_code(text)


@pytest.mark.parametrize("digit", "123456789")
def test_ten_equal_digits_pass_the_arithmetic_and_are_flagged(digit):
    assert is_national_code(digit * 10)
    assert NationalCode(L).clean(digit * 10) == (digit * 10, "repeated")


@pytest.mark.parametrize(
    ("written", "stored", "flag"),
    [
        ("12345679", "0012345679", "padded"),
        (12345679, "0012345679", "padded"),
        ("98765434", "0098765434", "padded"),
        ("001234560", "0001234560", "padded"),
        ("12345678", "0012345678", "bad_checksum"),
        (9991000070, "9991000070", None),
        ("۹۹۹۱۰۰۰۰۷۰", "9991000070", None),
        (" 9991000070\u200f", "9991000070", None),
        ("999-100007-0", "9991000070", None),
        ("999 - 100007 - 0", "9991000070", None),
        ("0- 0", None, "no_code"),
        ("0000000000", None, "no_code"),
        ("0", None, "no_code"),
        ("-", None, "no_code"),
        ("", None, "no_code"),
        (None, None, "no_code"),
        ("999100007012", "999100007012", "odd_format"),
        ("99910000701", "99910000701", "odd_format"),
        ("12345", "12345", "odd_format"),
        ("A1234567", "A1234567", "odd_format"),
        ("²234567890", None, "bad_code"),
    ],
)
def test_national_codes_as_they_come(written, stored, flag):
    assert NationalCode(L).clean(written) == (stored, flag)


@pytest.mark.parametrize(
    ("written", "stored", "flag"),
    [
        ("40311234501", "40311234501", None),
        (40311234501, "40311234501", None),
        ("۴۰۳۱۱۲۳۴۵۰۱", "40311234501", None),
        ("٤٠٣", "403", None),
        (" 1810 ", "1810", None),
        ("18 10", "1810", None),
        ("\u200e1810\u202c", "1810", None),
        (1810, "1810", None),
        (3, "3", None),
        ("3", "3", None),
        ("0012", "0012", None),
        ("0", "0", None),
        (0, "0", None),
        ("²", None, "bad_code"),
        ("12²", None, "bad_code"),
        ("१२", None, "bad_code"),
        ("½", None, "bad_code"),
        ("1\ud83d", None, "bad_code"),
        ("9" * 65, None, "bad_code"),
        ("-", None, None),
        ("- -", None, None),
        ("نام شخص", None, None),
        ("12 <b >3", "123", None),
        ("NULL", None, None),
        ("نامشخص", None, None),
        ("  ", None, None),
        (None, None, None),
        (10**39, "1" + "0" * 39, None),
    ],
)
def test_codes_are_text_of_ascii_digits(written, stored, flag):
    assert Code(L).clean(written) == (stored, flag)


@pytest.mark.parametrize("zero", ["0", 0, "0000000000", "۰۰"])
def test_zero_is_nothing_where_the_field_says_so(zero):
    assert Code(L, zero_is_empty=True).clean(zero) == (None, None)
    assert Code(L, zero_is_empty=True).clean("90012345") == ("90012345", None)


@pytest.mark.parametrize(
    ("written", "stored", "flag"),
    [
        ("09120000000", "09120000000", None),
        ("۰۹۱۲۰۰۰۰۰۰۰", "09120000000", None),
        ("9120000000", "09120000000", None),
        (9120000000, "09120000000", None),
        ("+989120000000", "09120000000", None),
        ("+98 912 000 0000", "09120000000", None),
        ("00989120000000", "09120000000", None),
        ("989120000000", "09120000000", None),
        ("+98 (0)912-000-0000", "09120000000", None),
        ("0912 000 0000", "09120000000", None),
        ("0", None, None),
        (0, None, None),
        ("0000000000", None, None),
        ("-", None, None),
        ("", None, None),
        (None, None, None),
        ("09120000000 - 09130000000", "09120000000 - 09130000000", "two_numbers"),
        ("09120000000/09130000000", "09120000000/09130000000", "two_numbers"),
        ("0912000000009130000000", "0912000000009130000000", "two_numbers"),
        ("۰۹۱۲۰۰۰۰۰۰۰ و ۰۹۱۳۰۰۰۰۰۰۰", "09120000000 و 09130000000", "two_numbers"),
        ("02166000000", "02166000000", "landline"),
        ("021-66000000", "021-66000000", "landline"),
        ("12345", "12345", "bad_phone"),
        ("ندارد", "ندارد", "bad_phone"),
        ("0912000000²", "0912000000²", "bad_phone"),
    ],
)
def test_mobile_numbers_get_one_shape_and_others_stay(written, stored, flag):
    assert Phone(L).clean(written) == (stored, flag)


@pytest.mark.parametrize(
    ("written", "stored", "flag"),
    [
        ("a@example.invalid", "a@example.invalid", None),
        ("  A.B@Example.INVALID ", "a.b@example.invalid", None),
        ("-", None, None),
        ("0", None, None),
        ("", None, None),
        ("a b@example.invalid", "a b@example.invalid", "bad_email"),
        ("example.invalid", "example.invalid", "bad_email"),
        ("a@@example.invalid", "a@@example.invalid", "bad_email"),
        ("علی@", "علی@", "bad_email"),
    ],
)
def test_mail_addresses_are_in_small_letters(written, stored, flag):
    assert Email(L).clean(written) == (stored, flag)


@pytest.mark.parametrize(
    ("written", "stored", "flag"),
    [
        (8, 8, None),
        ("8", 8, None),
        ("۸", 8, None),
        (" 8 ", 8, None),
        ("-3", -3, None),
        (0, 0, None),
        ("0", 0, None),
        ("", None, None),
        ("-", None, None),
        (None, None, None),
        ("²", None, "bad_number"),
        ("8.5", None, "bad_number"),
        ("هشت", None, "bad_number"),
        (10**39, None, "bad_number"),
        ("9223372036854775807", 2**63 - 1, None),
        ("9223372036854775808", None, "bad_number"),
        ("9" * 5000, None, "bad_number"),
    ],
)
def test_whole_numbers_fit_the_database(written, stored, flag):
    assert Integer(L).clean(written) == (stored, flag)
