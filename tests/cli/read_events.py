"""Reads TensorBoard's event files with nothing but Python, and prints "STEP TAG VALUE" for each scalar.

A file is records: length (8 bytes, little-endian), masked crc32c of those, the event, masked crc32c
of that. An event is a protocol buffer: wall_time 1, step 2, file_version 3, summary 5; a summary has
values 1, each with a tag 1 and a simple_value 2."""
import struct
import sys


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked(data):
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def fields(data):
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            value, at = varint(data, at)
        else:
            size = {1: 8, 5: 4}.get(key & 7)
            if size is None:
                size, at = varint(data, at)
            value, at = data[at:at + size], at + size
            assert len(value) == size, 'a field is cut'
        yield key >> 3, value


def records(data):
    at = 0
    while at < len(data):
        head = data[at:at + 8]
        size, = struct.unpack('<Q', head)
        event = data[at + 12:at + 12 + size]
        assert struct.unpack('<I', data[at + 8:at + 12])[0] == masked(head), 'crc of a length'
        assert struct.unpack('<I', data[at + 12 + size:at + 16 + size])[0] == masked(event), 'crc'
        yield dict(fields(event))
        at += 16 + size


assert crc32c(b'123456789') == 0xE3069283
for path in sys.argv[1:]:
    events = list(records(open(path, 'rb').read()))
    assert events[0][3] == b'brain.Event:2' and 1 in events[0], 'no version'
    for event in events[1:]:
        for number, value in fields(event[5]):
            scalar = dict(fields(value))
            print(event.get(2, 0), scalar[1].decode(), '%.4f' % struct.unpack('<f', scalar[2]))
