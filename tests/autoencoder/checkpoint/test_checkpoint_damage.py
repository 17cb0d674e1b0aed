"""Files damaged byte by byte, some of them with their digest put right again."""

import hashlib
import random
import re
import struct
import tracemalloc


def reseal(content):
    return content[:-64] + hashlib.sha256(content[:-64]).hexdigest().encode()


def flips(content, count, seed, within):
    """The content with one bit turned, at random places."""
    for position in random.Random(seed).sample(range(8 * within), count):
        damaged = bytearray(content)
        damaged[position // 8] ^= 1 << position % 8
        yield bytes(damaged)


def accidents(good):
    rng = random.Random(1)
    for damaged in flips(good, 300, 1, len(good)):
        yield "bit flip", damaged, None
    boundaries = [i for i in range(len(good)) if good[i : i + 2] in (b"PK", b"\x93N")]
    ends = {0, 1, 2, 21, 22, 64, 127, 128, len(good) - 1, len(good) - 64, len(good) - 65}
    ends |= {i + step for i in boundaries for step in (-1, 0, 1, 4, 30) if i + step >= 0}
    ends |= set(rng.sample(range(len(good)), 100))
    for end in sorted(end for end in ends if end < len(good)):
        yield "truncation", good[:end], None
    for _ in range(40):
        start, size = rng.randrange(len(good)), rng.randrange(1, 600)
        end = min(start + size, len(good))
        yield "lost in the middle", good[:start] + good[end:], None
        if any(good[start:end]):
            yield "zeroed block", good[:start] + bytes(end - start) + good[end:], None
    for _ in range(20):
        yield "bytes added", good + rng.randbytes(rng.randrange(1, 300)), None
    for _ in range(40):
        size = rng.randrange(4, 200)
        first = rng.randrange(len(good) // 2 - size)
        second = rng.randrange(len(good) // 2, len(good) - size)
        swapped = bytearray(good)
        swapped[first : first + size] = good[second : second + size]
        swapped[second : second + size] = good[first : first + size]
        if bytes(swapped) != good:
            yield "swapped blocks", bytes(swapped), None


def directory_entries(content):
    return [match.start() for match in re.finditer(b"PK\x01\x02", content)]


def archive_lies(honest):
    """Numbers in the zip directory replaced, two or four bytes each, and resealed."""
    four, two = (1, 2**31 - 1, 2**32 - 2, 2**32 - 1), (1, 8, 99, 2**16 - 1)
    replacements = []
    for entry in directory_entries(honest):
        for offset in (16, 20, 24, 42):  # CRC, stored size, size, offset
            replacements += [(entry + offset, struct.pack("<I", value)) for value in four]
        for offset in (8, 10, 28, 30):  # flags, method, name length, extra length
            replacements += [(entry + offset, struct.pack("<H", value)) for value in two]
    end = honest.rfind(b"PK\x05\x06")
    for offset in (12, 16):  # the directory's size and place
        values = (0, 1, 2**31, 2**32 - 2, 2**32 - 1)
        replacements += [(end + offset, struct.pack("<I", value)) for value in values]
    for place, number in replacements:
        yield reseal(honest[:place] + number + honest[place + len(number) :])


def overlapping_members(honest, seal):
    """Every entry points at the same member: together they claim many times the file."""
    start = directory_entries(honest)[0]
    name = struct.unpack("<H", honest[start + 28 : start + 30])[0]
    for count in (1000, 60_000):
        directory = honest[start : start + 46 + name] * count
        sizes = (0, 0, count, count, len(directory), start, 0)
        tail = struct.pack("<4sHHHHIIH", b"PK\x05\x06", *sizes)
        content = seal(honest[:start] + directory + tail)
        yield "overlapping members", content, "archive"  # not the first name that is there twice


def test_accidents_are_refused_even_when_nothing_is_expected(sweep, good):
    refused = sweep(accidents(good))
    assert refused["bit flip"] == 300
    assert refused["truncation"] > 150
    assert sum(refused.values()) > 580


def test_members_that_overlap_are_refused_before_they_are_read(sweep, good, seal):
    assert sum(sweep(overlapping_members(good, seal)).values()) == 2


def test_an_archive_that_contradicts_itself_is_refused_or_the_lie_changes_nothing(
    tmp_path, good, small_arrays, small_metadata, load_or_refusal
):
    """The lie may sit where nothing is read: dates, attributes, slack behind the last entry."""
    path = tmp_path / "c"
    expected = {name: array.tobytes() for name, array in small_arrays.items()}
    refused = 0
    tracemalloc.start()
    resealed = map(reseal, flips(good, 500, 3, len(good) - 64))
    for content in (*resealed, *archive_lies(good)):
        path.write_bytes(content)
        loaded, refusal = load_or_refusal(path)
        if refusal:
            assert str(refusal).isprintable()
            refused += 1
        else:
            back, metadata = loaded
            assert {name: array.tobytes() for name, array in back.items()} == expected
            assert metadata == small_metadata
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert refused > 600
    assert peak < 10_000_000
