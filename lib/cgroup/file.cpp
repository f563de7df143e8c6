#include "cgroup/file.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <fcntl.h>
#include <unistd.h>

namespace jarvis::cgroup {

namespace {

std::optional<std::string> read_all(const Fd& source)
{
    if (!source)
        return std::nullopt;
    std::string text;
    char part[4096];
    ssize_t size = 0;
    while ((size = ::read(source.get(), part, sizeof part)) > 0)
        text.append(part, static_cast<std::size_t>(size));
    return size < 0 ? std::nullopt : std::optional(std::move(text));
}

} // namespace

std::optional<std::string> read_file(const std::string& group, std::string_view file)
{
    return read_all(Fd(::open((group + '/').append(file).c_str(), O_RDONLY | O_CLOEXEC)));
}

std::optional<std::string> read_file(const Fd& group, const char* file)
{
    return read_all(Fd(::openat(group.get(), file, O_RDONLY | O_CLOEXEC)));
}

std::string_view first_line(std::string_view text) { return text.substr(0, text.find('\n')); }

bool has_word(std::string_view text, std::string_view word)
{
    for (auto rest = first_line(text); !rest.empty();) {
        const auto one = rest.substr(0, rest.find(' '));
        if (one == word)
            return true;
        rest.remove_prefix(std::min(one.size() + 1, rest.size()));
    }
    return false;
}

std::optional<std::int64_t> number_in(std::string_view text)
{
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc{} ? std::optional(number) : std::nullopt;
}

std::optional<std::int64_t> value_of(std::string_view text, std::string_view key, char separator)
{
    for (auto at = text.find(key); at != text.npos; at = text.find(key, at + 1)) {
        const auto end = at + key.size();
        const bool begins = at == 0 || std::isspace(static_cast<unsigned char>(text[at - 1]));
        if (begins && end < text.size() && text[end] == separator)
            return number_in(text.substr(end + 1));
    }
    return std::nullopt;
}

std::optional<std::set<std::uint32_t>> list_in(std::string_view text)
{
    constexpr std::uint32_t highest = 1 << 16; // far above what a kernel has of CPUs or nodes
    std::set<std::uint32_t> numbers;
    const char* at = text.data();
    const char* const end = at + text.size();
    while (at < end) {
        std::uint32_t first = 0;
        auto read = std::from_chars(at, end, first);
        std::uint32_t last = first;
        if (read.ec == std::errc{} && read.ptr < end && *read.ptr == '-')
            read = std::from_chars(read.ptr + 1, end, last);
        if (read.ec != std::errc{} || last < first || last > highest || (read.ptr < end && *read.ptr != ','))
            return std::nullopt;
        for (auto number = first; number <= last; ++number)
            numbers.insert(number);
        at = read.ptr < end ? read.ptr + 1 : end;
    }
    return numbers;
}

} // namespace jarvis::cgroup
