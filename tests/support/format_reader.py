"""Reads a store file with what docs/format.md says, and nothing else of mneme's.

The tables of the page are read from the page: kinds, names of attributes, enumerations, fields.
"""
import hashlib
import re
import struct
import zlib

import lmdb
import xxhash
import zstandard

CHUNK = 651
MICROS = 1000000


class Damaged(Exception):
    """The file is not what the page says."""


def demand(condition, what):
    if not condition:
        raise Damaged(what)


class Bytes:
    """A place in some bytes."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, size):
        demand(self.at + size <= len(self.data), "bytes end early")
        self.at += size
        return self.data[self.at - size:self.at]

    def rest(self):
        return self.take(len(self.data) - self.at)

    def number(self, size):
        return int.from_bytes(self.take(size), "big")

    def varint(self):
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                return value

    def zigzag(self):
        value = self.varint()
        return value >> 1 ^ -(value & 1)


def xxh3(data, seed=0):
    return xxhash.xxh3_64_intdigest(data, seed)


# ---- The page ------------------------------------------------------------------------------


class Page:
    """The tables of docs/format.md."""

    def __init__(self, text):
        self.kinds = {int(number): name for number, name in self.rows(text, "| kind | name |")}
        codes = self.rows(text, "| code | name |")
        self.names = {int(code): name for code, name in codes if code.isdigit() and
                      re.fullmatch("[a-z]+", name)}
        self.enums = {name: names.split(", ")
                      for name, names in self.rows(text, "| enum | names, from 0 |")}
        self.tables = {}
        for name, after in re.findall(r"(?m)^`([a-z]+)`[^\n]*:\n\n(\| field .*?)(?:\n\n|\Z)", text,
                                      re.S):
            self.tables[name] = {int(row[0]): row[1:] for row in
                                 self.rows(after, "| field | name | type | attribute |")}
        sync = self.rows(text, "| field | name | type | what |")
        self.sync = {int(row[0]): (row[1], row[2], "") for row in sync}
        self.jsonl = re.search(r"```json\n(.*?)```", text, re.S).group(1)
        dump = re.search(r"```hexdump\n(.*?)```", text, re.S).group(1)
        self.dump = bytes.fromhex("".join(line[:30] for line in dump.splitlines()))

    @staticmethod
    def rows(text, header):
        """The rows of the table that begins so."""
        lines = text[text.index(header):].split("\n\n")[0].splitlines()[2:]
        return [[cell.strip() for cell in line[1:-1].split("|")] for line in lines]


# ---- Bodies --------------------------------------------------------------------------------


def lz4_block(data, size):
    """An LZ4 block, by LZ4's own description of it."""
    at, out = Bytes(data), bytearray()

    def length(first):
        while first >= 15:
            byte = at.take(1)[0]
            first += byte
            if byte < 255:
                break
        return first

    while at.at < len(data):
        token = at.take(1)[0]
        out += at.take(length(token >> 4))
        if at.at == len(data):
            break
        distance = int.from_bytes(at.take(2), "little")
        for _ in range(length(token & 15) + 4):
            out.append(out[-distance])
    demand(len(out) == size, "an LZ4 block has another size")
    return bytes(out)


def unpack(packed, dictionaries):
    if not packed:
        return b""
    at = Bytes(packed)
    algorithm = at.take(1)[0]
    if algorithm == 0:
        return at.rest()
    size = at.varint()
    if algorithm == 1:
        return lz4_block(at.rest(), size)
    if algorithm == 2:
        return zlib.decompress(at.rest(), 31)
    demand(algorithm in (3, 4), f"algorithm {algorithm}")
    dictionary = zstandard.ZstdCompressionDict(dictionaries[at.take(4)]) if algorithm == 4 else None
    frame = b"\x28\xb5\x2f\xfd" + at.rest()
    return zstandard.ZstdDecompressor(dict_data=dictionary).decompress(frame, max_output_size=size)


def fields(data):
    at = Bytes(data)
    while at.at < len(data):
        tag = at.varint()
        demand(tag & 3 < 3, "type of a field")
        if tag & 3 == 0:
            yield tag >> 2, at.varint()
        else:
            yield tag >> 2, at.take(8 if tag & 3 == 1 else at.varint())


def zigzag(value):
    return value >> 1 ^ -(value & 1)


def vector(data):
    form = data[0]
    if form == 0:
        return list(struct.unpack(f"<{len(data) // 4}f", data[1:]))
    if form == 1:
        return list(struct.unpack(f"<{len(data) // 2}e", data[1:]))
    demand(form == 2, "form of a vector")
    magnitude = struct.unpack("<f", data[1:5])[0]
    return [q * magnitude / 127 for q in struct.unpack(f"<{len(data) - 5}b", data[5:])]


class Decoder:
    """Messages to dictionaries: absent members are left out."""

    def __init__(self, page):
        self.page = page

    def value(self, kind, data, base_us):
        if kind.startswith("text"):
            return data.decode()
        if kind in ("id", "step id"):
            demand(len(data) == 16, "size of an id")
            return data
        if kind == "ids":
            return [data[i:i + 16] for i in range(0, len(data), 16)]
        if kind in ("count", "step number"):
            return data
        if kind == "integer":
            return zigzag(data)
        if kind == "double":
            return struct.unpack("<d", data)[0]
        if kind in ("time", "step time"):
            return zigzag(data) + base_us
        if kind.startswith("enum "):
            return self.page.enums[kind[5:]][data]
        if kind == "vector":
            return vector(data)
        demand(kind.startswith("message"), f"unknown type {kind}")
        return self.message(kind.split()[1], data, base_us)

    def message(self, table, data, base_us, step=None):
        out = dict(step or {})
        last = (0, base_us)
        for number, raw in fields(data):
            if number not in self.page.tables[table]:
                continue
            name, kind, _ = self.page.tables[table][number]
            if kind == "messages step":
                item = self.message("step", raw, last[1], {"number": last[0] + 1, "time": last[1]})
                last = (item["number"], item["time"])
                out.setdefault(name, []).append(item)
            elif kind == "texts" or kind.startswith("messages"):
                out.setdefault(name, []).append(
                    self.value("text" if kind == "texts" else kind, raw, base_us))
            else:
                out[name] = self.value(kind, raw, base_us)
        return out


def stamps(data):
    """The versions in field 60000, which must be read to its end."""
    at = Bytes(data)
    demand(at.take(1) == b"\1", "form of stamps")
    devices = [at.number(8) for _ in range(at.varint())]
    versions = []
    for _ in range(at.varint()):
        device = devices[at.varint()]
        clock = at.varint() + (versions[-1][0] if versions else 0)
        versions.append((clock, device))

    def stamp():
        return versions[at.varint()]

    birth = at.varint()
    told = {"birth": versions[birth - 1] if birth else None, "rest": stamp(), "members": {},
            "lists": {}}
    number = 0
    for _ in range(at.varint()):
        number += at.varint()
        told["members"][number] = stamp()
    number = 0
    for _ in range(at.varint()):
        number += at.varint()
        values = [(at.varint(), at.varint(), stamp()) for _ in range(at.varint())]
        places = [(at.varint(), at.varint(), stamp(), at.varint()) for _ in range(at.varint())]
        gone = [(at.take(at.varint()), stamp(), stamp(), at.varint()) for _ in range(at.varint())]
        told["lists"][number] = (values, places, gone)
    demand(at.at == len(data), "stamps go on")
    return told, versions


# ---- Records -------------------------------------------------------------------------------


class Record:
    """A blob, checked and taken apart."""

    def __init__(self, kind, record_id, blob, device, page):
        self.kind, self.id = kind, record_id
        at = Bytes(blob)
        checksum = at.number(8)
        demand(xxh3(blob[8:], xxh3(record_id + bytes([kind]))) == checksum, "checksum of a record")
        demand(at.varint() == len(blob) - at.at, "size of a blob")
        millis = int.from_bytes(record_id[:6], "big")
        self.flags = at.varint()
        shape = at.take(1)[0]
        self.change = at.varint()
        clock = at.zigzag() + millis
        self.clock = clock << 16 | at.varint()
        self.device = at.number(8) if shape & 2 else device
        self.time_us = at.zigzag() + millis * 1000
        self.parent, self.place = (at.take(16), at.varint()) if shape & 1 else (None, 0)
        self.plain_size = at.varint()
        self.attributes = [self.attribute(at, page) for _ in range(at.varint())]
        self.packed = at.rest()

    @staticmethod
    def attribute(at, page):
        code = at.varint()
        if code == 31:
            name = b"meta." + at.take(at.varint())
        elif code >= 32:
            name = at.take(code - 32)
        else:
            name = page.names[code].encode()
        return name, at.take(at.varint())

    def index_keys(self):
        """The index keys that the page says this record has."""
        keys = set()
        if self.parent:
            keys.add(index_key(b"C" + self.parent + bytes([self.kind]), self.place, self.id))
        if self.flags & 1:
            return keys
        keys.add(index_key(b"T" + bytes([self.kind]), self.time_us, self.id))
        for name, value in self.attributes:
            prefix = xxh3(value, xxh3(name)).to_bytes(8, "big")[:5]
            kind = bytes([0 if self.kind == 8 else self.kind])
            keys.add(index_key(b"V" + kind + prefix, self.time_us, self.id))
        return keys


def index_key(prefix, sort, record_id):
    millis, own = sort // 1000, int.from_bytes(record_id[:6], "big")
    form = 1 if own == millis else 0 if own < millis else 2
    tail = (sort + (1 << 63)).to_bytes(8, "big") + bytes([form])
    return prefix + tail + record_id[6 if form == 1 else 0:]


def prefix_size(key):
    return {b"T": 2, b"V": 7, b"C": 18}[key[:1]]


class Store:
    """All that is in a file."""

    def __init__(self, path, page):
        self.page = page
        with open(path, "rb") as file:
            self.front = file.read(4096 * 2)
        environment = lmdb.open(str(path), subdir=False, readonly=True, max_dbs=8)
        with environment.begin() as txn:
            self.main = dict(txn.cursor().iternext())
            self.tables = {name: list(txn.cursor(environment.open_db(name.encode(), txn=txn,
                                                                     create=False)).iternext())
                           for name in ("records", "index", "changes", "clean", "base", "gone",
                                        "held")}
        environment.close()
        self.read_identity()
        self.read_state()
        self.read_records()

    def read_identity(self):
        at = Bytes(self.main[b"mneme"])
        demand(len(at.data) == 32 and at.take(12) == b"mneme store\0", "identity")
        self.format, self.device = at.number(4), at.number(8)
        demand(at.number(8) == xxh3(at.data[:24]), "checksum of the identity")

    def read_state(self):
        at = Bytes(self.main[b"mneme state"])
        demand(len(at.data) == 360, "size of the state")
        self.last_change, self.last_clock = at.number(8), at.number(8)
        self.counts = [[at.number(8) for _ in range(4)] for _ in range(10)]
        self.shared, self.fence = at.number(8), at.number(8)
        demand(at.number(8) == xxh3(at.data[:-8]), "checksum of the state")

    def read_records(self):
        blobs = {}
        for key, value in self.tables["records"]:
            name, chunk = key[:17], int.from_bytes(key[17:], "big")
            demand(len(key) == (19 if chunk else 17), "key of a record")
            demand(chunk == len(blobs.setdefault(name, [])), "order of chunks")
            blobs[name].append(value)
        self.records = {}
        for name, chunks in blobs.items():
            demand(all(len(chunk) == CHUNK for chunk in chunks[:-1]), "size of a chunk")
            self.records[name] = Record(name[16], name[:16], b"".join(chunks), self.device,
                                        self.page)
        self.dictionaries = {}
        for record in self.records.values():
            if record.kind == 8:
                body = unpack(record.packed, {})
                digest = hashlib.sha256(body).digest()
                demand(record.id == b"\0" + digest[:15], "id of a dictionary")
                self.dictionaries[digest[:4]] = body

    def sync_state(self):
        """The fields of the state of sync, by their names."""
        shared = self.main[b"mneme shared"]
        demand(int.from_bytes(shared[:8], "big") == xxh3(shared[8:]), "checksum of sync")
        out = {}
        for number, raw in fields(shared[8:]):
            name, kind, _ = self.page.sync[number]
            out.setdefault(name, []).append(
                raw if kind in ("count", "messages") else raw.decode() if kind == "text"
                else zigzag(raw))
        return out

    def index(self):
        """The single keys of the index, in order."""
        for key, value in self.tables["index"]:
            yield key
            size, at = prefix_size(key), Bytes(value)
            while at.at < len(value):
                head = at.take(9)
                yield key[:size] + head + at.take(10 if head[8] == 1 else 16)

    def plain(self, record):
        body = unpack(record.packed, self.dictionaries)
        demand(len(body) == record.plain_size, "plain size")
        return body

    def decode(self, record):
        table = self.page.kinds[record.kind]
        step = {"id": record.id, "number": record.place, "time": record.time_us} \
            if table == "step" else None
        return Decoder(self.page).message(table, self.plain(record), record.time_us, step)

    def expected_attributes(self, record):
        """The attributes that the page says a record has, from its body."""
        if record.flags & 1:
            return []
        if record.kind == 8:
            return record.attributes
        found = self.attributes_of(self.page.kinds[record.kind], self.decode(record))
        return sorted((name, value if len(value) <= 64 else
                       b"\xff" + hashlib.sha256(value).digest()[:31]) for name, value in found)

    def attributes_of(self, table, message):
        for name, kind, attribute in self.page.tables[table].values():
            if kind.startswith("message "):
                yield from self.attributes_of(kind.split()[1], message.get(name, {}))
            elif kind == "messages pair" and attribute:
                for pair in message.get(name, []):
                    yield (attribute.replace("NAME", pair["name"]).encode(),
                           pair.get("value", "").encode())
            elif kind.startswith("enum ") and attribute:
                yield attribute.encode(), message.get(name, self.page.enums[kind[5:]][0]).encode()
            elif attribute:
                values = message.get(name, [])
                for value in values if isinstance(values, list) else [values]:
                    yield attribute.encode(), value if kind == "id" else value.encode()
