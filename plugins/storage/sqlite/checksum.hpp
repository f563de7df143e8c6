// CRC-32C (Castagnoli), which finds what a disk or a file system has changed behind our back. SQLite has no checksum of
// its own for data at rest.
#pragma once

#include <cstdint>
#include <string_view>

namespace sqlite_storage {

// Of a text that goes on: start with 0 and pass the last result.
std::uint32_t crc32c(std::uint32_t crc, std::string_view bytes);
// A group's, over its number and its bytes, so that an exchanged row is noticed too.
std::uint32_t group_checksum(std::uint64_t sequence, std::string_view bytes);

} // namespace sqlite_storage
