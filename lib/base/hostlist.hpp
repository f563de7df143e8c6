// Host lists: "n[001-128,200],login1" for the names n001 .. n128, n200, login1.
#pragma once

#include "base/result.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace jarvis {

// More names than this are a typing mistake, and not worth the memory.
constexpr std::size_t max_hostlist_names = 65536;

// Letters, digits, '-', '_' and '.', beginning with a letter or digit; at most 253 bytes.
bool is_host_name(std::string_view name);

// The names in the order written, each once. Numbers keep the width of a range's first number when that begins with 0.
// Several brackets in one word multiply, the last one counting fastest. Failures name the column, from 1.
Result<std::vector<std::string>> expand_hostlist(std::string_view text, std::size_t limit = max_hostlist_names);

// The shortest list that expands to these names: sorted (numbers by value), each once, ranges on the last number.
// Names need not be valid host names; what cannot stand in a range stands alone.
std::string compress_hostlist(std::span<const std::string> names);
// The same where the order matters: a list that expands to these names in their order, short where they are sorted.
std::string hostlist_in_order(std::span<const std::string> names);

} // namespace jarvis
