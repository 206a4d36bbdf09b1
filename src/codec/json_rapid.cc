/*
 * json_rapid.cc - RapidJSON 1.1's reader and number digits, behind json_rapid.h.
 *
 * The one C++ file. It is compiled without exceptions and RTTI and uses headers only, so that it
 * needs no C++ runtime. Strings are decoded in place and numbers handed on as text; so nothing
 * is put on RapidJSON's stack but two words a level, and nothing is ever allocated.
 */
#include <stdlib.h>

/* What RapidJSON asserts no input can break; were it wrong, stopping beats writing past a stack. */
#define RAPIDJSON_ASSERT(expression) ((expression) ? (void)0 : abort())
#ifdef __SSE2__
#define RAPIDJSON_SSE2
#endif
#include <rapidjson/internal/dtoa.h>
#include <rapidjson/reader.h>

#include "codec/json_rapid.h"

namespace {
struct FixedBlock {}; /* stands where RapidJSON wants an allocator */
} // namespace

/*
 * RapidJSON's stack grows without a look at what its allocator returns. This one has a fixed size
 * instead: the reader pushes two 4-byte words a level, and json.c ends it at JSON_DEPTH_MAX.
 */
namespace rapidjson {
namespace internal {
template <> class Stack<FixedBlock> {
  public:
    Stack(FixedBlock *, size_t) : size_(0) {}
    void Clear() { size_ = 0; }

    template <typename T> T *Push(size_t count = 1) {
        RAPIDJSON_ASSERT(sizeof(T) * count <= sizeof block_ - size_);
        size_ += sizeof(T) * count;
        return reinterpret_cast<T *>(block_ + size_) - count;
    }
    template <typename T> T *Pop(size_t count) {
        RAPIDJSON_ASSERT(sizeof(T) * count <= size_);
        size_ -= sizeof(T) * count;
        return reinterpret_cast<T *>(block_ + size_);
    }
    template <typename T> T *Top() {
        RAPIDJSON_ASSERT(sizeof(T) <= size_);
        return reinterpret_cast<T *>(block_ + size_) - 1;
    }

  private:
    alignas(8) char block_[1024];
    size_t size_;
};
} // namespace internal
} // namespace rapidjson

namespace {

/*
 * Hands RapidJSON's events on. Inside a string or number the reader works on a copy of the
 * stream, so that `stream` still stands where the token begins; after a literal it stands behind
 * it, and at a bracket on that bracket.
 */
class Handler {
  public:
    Handler(const rapidjson::InsituStringStream &stream, json_builder *builder)
        : stream_(stream), builder_(builder) {}

    bool Null() { return json_on_scalar(builder_, at() - 4, at()); }
    bool Bool(bool value) { return json_on_scalar(builder_, at() - (value ? 4 : 5), at()); }
    bool RawNumber(const char *, rapidjson::SizeType size, bool) {
        return json_on_scalar(builder_, at(), at() + size);
    }
    bool String(const char *text, rapidjson::SizeType size, bool) {
        return json_on_string(builder_, text, size, quote_before(text));
    }
    bool Key(const char *text, rapidjson::SizeType size, bool) {
        return json_on_key(builder_, text, size, quote_before(text));
    }
    bool StartObject() { return json_on_open(builder_, at()); }
    bool StartArray() { return json_on_open(builder_, at()); }
    bool EndObject(rapidjson::SizeType) { return json_on_close(builder_, at()); }
    bool EndArray(rapidjson::SizeType) { return json_on_close(builder_, at()); }

    /* The reader names these, but calls none while numbers are handed on as text. */
    bool Int(int) { return false; }
    bool Uint(unsigned) { return false; }
    bool Int64(int64_t) { return false; }
    bool Uint64(uint64_t) { return false; }
    bool Double(double) { return false; }

  private:
    size_t at() const { return static_cast<size_t>(stream_.src_ - stream_.head_); }
    size_t quote_before(const char *text) const {
        return static_cast<size_t>(text - stream_.head_) - 1;
    }

    const rapidjson::InsituStringStream &stream_;
    json_builder *builder_;
};

/* A word for each code, to follow "expected …" or to stand alone. */
const char *describe(rapidjson::ParseErrorCode code) {
    switch (code) {
    case rapidjson::kParseErrorNone:
        return nullptr;
    case rapidjson::kParseErrorDocumentEmpty:
    case rapidjson::kParseErrorValueInvalid:
        return "expected a value";
    case rapidjson::kParseErrorDocumentRootNotSingular:
        return "expected the end of the text after the value";
    case rapidjson::kParseErrorObjectMissName:
        return "expected the name of a member, in double quotes";
    case rapidjson::kParseErrorObjectMissColon:
        return "expected a colon after the name of a member";
    case rapidjson::kParseErrorObjectMissCommaOrCurlyBracket:
        return "expected a comma or } after a member";
    case rapidjson::kParseErrorArrayMissCommaOrSquareBracket:
        return "expected a comma or ] after an element";
    case rapidjson::kParseErrorStringUnicodeEscapeInvalidHex:
        return "expected four hexadecimal digits after \\u";
    case rapidjson::kParseErrorStringUnicodeSurrogateInvalid:
        return "half of a surrogate pair stands alone; write both halves or leave it out";
    case rapidjson::kParseErrorStringEscapeInvalid:
        return "an unknown escape, or a control character that is not escaped, in a string";
    case rapidjson::kParseErrorStringMissQuotationMark:
        return "a string without its closing quote";
    case rapidjson::kParseErrorNumberTooBig:
        return "a number too large for a double";
    case rapidjson::kParseErrorNumberMissFraction:
        return "expected a digit after the decimal point";
    case rapidjson::kParseErrorNumberMissExponent:
        return "expected a digit in the exponent";
    case rapidjson::kParseErrorStringInvalidEncoding:
    case rapidjson::kParseErrorTermination:
    case rapidjson::kParseErrorUnspecificSyntaxError:
        break;
    }
    return "not JSON";
}

} // namespace

const char *json_rapid_parse(char *text, struct json_builder *builder, size_t *offset) {
    rapidjson::InsituStringStream stream(text);
    Handler handler(stream, builder);
    rapidjson::GenericReader<rapidjson::UTF8<>, rapidjson::UTF8<>, FixedBlock> reader;
    const unsigned flags = rapidjson::kParseInsituFlag | rapidjson::kParseNumbersAsStringsFlag |
                           rapidjson::kParseIterativeFlag;
    rapidjson::ParseResult result = reader.Parse<flags>(stream, handler);
    *offset = result.IsError() ? result.Offset() : stream.Tell();
    return describe(result.Code());
}

int json_rapid_digits(double value, char digits[JSON_DIGITS_MAX], int *scale) {
    int size;
    rapidjson::internal::Grisu2(value, digits, &size, scale);
    while (digits[size - 1] == '0') {
        size--;
        ++*scale;
    }
    return size;
}
