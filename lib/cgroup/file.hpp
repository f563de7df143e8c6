// Reading what the kernel says of a cgroup.
#pragma once

#include "base/fd.hpp"

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace jarvis::cgroup {

// The whole of it; nothing where there is no such file.
std::optional<std::string> read_file(const std::string& group, std::string_view file);
// The same of a group that is open: relative to its directory, so of that group even if it was moved.
std::optional<std::string> read_file(const Fd& group, const char* file);

std::string_view first_line(std::string_view text);
// Whether one of the words of the first line, as in cgroup.controllers.
bool has_word(std::string_view text, std::string_view word);

// The number at the beginning of the text.
std::optional<std::int64_t> number_in(std::string_view text);

// The number after the first "<key><separator>" that begins a word: "oom_kill 2", "rbytes=4096".
std::optional<std::int64_t> value_of(std::string_view text, std::string_view key, char separator = ' ');

// The numbers of a list such as "0-3,8" (List Formats of cpuset(7)); nothing: it is no list.
std::optional<std::set<std::uint32_t>> list_in(std::string_view text);

} // namespace jarvis::cgroup
