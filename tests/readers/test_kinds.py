from slmbatch.readers.kinds import ALNUM, BLANK, Tally, kinds, tally

EVERY = "".join(map(chr, range(0x10000)))


def test_blanks_and_letters_are_what_python_takes_for_them() -> None:
    flags = kinds(EVERY)
    assert [bool(one & BLANK) for one in flags] == [one.isspace() for one in EVERY]
    assert [bool(one & ALNUM) for one in flags] == [one.isalnum() for one in EVERY]
    assert {one for one in flags if one >= BLANK} == {one for one in flags if one & BLANK}


def test_a_tally_counts_what_stands_for_no_character() -> None:
    assert tally("7 Äpfel, \x01\ue000\ufffd\r\n") == Tally(inked=10, alnum=6, lost=3)
    assert tally("") == Tally(0, 0, 0)
    assert tally("\U0001f600") == Tally(2, 0, 0)  # two units
