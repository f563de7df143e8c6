// A hash of bytes that come from outside: nobody there can tell which of them would meet in one bucket, since its key is random, another
// one each time a program starts (AT_RANDOM of getauxval(3)). Nothing may depend on its values.
#pragma once

#include <cstdint>
#include <string_view>

namespace jarvis {

// Over all of the bytes, in the manner of wyhash (https://github.com/wangyi-fudan/wyhash): products of 128 bits, folded.
std::uint64_t keyed_hash(std::string_view bytes, std::uint64_t seed = 0) noexcept;

} // namespace jarvis
