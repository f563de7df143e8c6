// Reading what the kernel says of a cgroup.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace jarvis::shepherd {

// The whole of it; nothing where there is no such file.
std::optional<std::string> read_cgroup_file(const std::string& group, std::string_view file);

// The number at the beginning of the text.
std::optional<std::int64_t> number_in(std::string_view text);

// The number after the first "<key><separator>" that begins a word: "oom_kill 2", "rbytes=4096".
std::optional<std::int64_t> value_of(std::string_view text, std::string_view key, char separator = ' ');

} // namespace jarvis::shepherd
