/* Elements of each data type. A long double holds every one of them exactly. */
#include "machine.h"

#include <math.h>
#include <string.h>

size_t type_size(enum type type) {
    static const size_t sizes[] = {1, 1, 2, 4, 8, 1, 2, 4, 8, 2, 2, 4, 8, 0};
    return sizes[type];
}

static float float_of_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint32_t bits_of_float(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static long double load_half(uint16_t bits) {
    int exponent = bits >> 10 & 31, fraction = bits & 1023;
    long double size = exponent == 31  ? (fraction ? NAN : INFINITY)
                       : exponent == 0 ? ldexpl(fraction, -24)
                                       : ldexpl(1024 + fraction, exponent - 25);
    return bits & 0x8000 ? -size : size;
}

/* Rounds to the nearest, ties to even, as the hardware does. */
static uint16_t store_half(long double value) {
    uint16_t sign = signbit(value) ? 0x8000 : 0;
    int exponent;
    if (isnan(value)) return 0x7e00;
    value = fabsl(value);
    if (value >= 65520) return sign | 0x7c00;
    if (value < ldexpl(1, -14)) return sign | (uint16_t)rintl(ldexpl(value, 24));
    frexpl(value, &exponent);                                  /* value = f * 2^exponent, 0.5 <= f < 1 */
    long fraction = (long)rintl(ldexpl(value, 11 - exponent)); /* 1024 to 2048 */
    return sign | (uint16_t)(((exponent + 14) << 10) + (fraction - 1024));
}

static uint16_t store_bfloat(long double value) {
    uint32_t bits = bits_of_float((float)value);
    if (isnan(value)) return 0x7fc0;
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

long double number_load(enum type type, const void *base, int64_t index) {
    const char *address = (const char *)base + index * (int64_t)type_size(type);
    switch (type) {
    case BOOL: return *(const uint8_t *)address != 0;
    case I8: return *(const int8_t *)address;
    case I16: return *(const int16_t *)address;
    case I32: return *(const int32_t *)address;
    case I64: return *(const int64_t *)address;
    case U8: return *(const uint8_t *)address;
    case U16: return *(const uint16_t *)address;
    case U32: return *(const uint32_t *)address;
    case U64: return *(const uint64_t *)address;
    case F16: return load_half(*(const uint16_t *)address);
    case BF16: return float_of_bits((uint32_t)*(const uint16_t *)address << 16);
    case F32: return *(const float *)address;
    case F64: return *(const double *)address;
    case NO_TYPE: break;
    }
    return NAN;
}

void number_store(enum type type, void *base, int64_t index, long double value) {
    char *address = (char *)base + index * (int64_t)type_size(type);
    switch (type) {
    case BOOL: *(uint8_t *)address = value != 0; break;
    case I8: *(int8_t *)address = (int8_t)(int64_t)value; break;
    case I16: *(int16_t *)address = (int16_t)(int64_t)value; break;
    case I32: *(int32_t *)address = (int32_t)(int64_t)value; break;
    case I64: *(int64_t *)address = (int64_t)value; break;
    case U8: *(uint8_t *)address = (uint8_t)(int64_t)value; break;
    case U16: *(uint16_t *)address = (uint16_t)(int64_t)value; break;
    case U32: *(uint32_t *)address = (uint32_t)(int64_t)value; break;
    case U64: *(uint64_t *)address = (uint64_t)value; break;
    case F16: *(uint16_t *)address = store_half(value); break;
    case BF16: *(uint16_t *)address = store_bfloat(value); break;
    case F32: *(float *)address = (float)value; break;
    case F64: *(double *)address = (double)value; break;
    case NO_TYPE: break;
    }
}
