#include "cgroup_file.hpp"

#include "base/fd.hpp"

#include <cctype>
#include <charconv>
#include <fcntl.h>
#include <unistd.h>

namespace jarvis::shepherd {

std::optional<std::string> read_cgroup_file(const std::string& group, std::string_view file)
{
    const Fd source(::open((group + '/').append(file).c_str(), O_RDONLY | O_CLOEXEC));
    if (!source)
        return std::nullopt;
    std::string text;
    char part[4096];
    ssize_t size = 0;
    while ((size = ::read(source.get(), part, sizeof part)) > 0)
        text.append(part, static_cast<std::size_t>(size));
    return size < 0 ? std::nullopt : std::optional(std::move(text));
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

} // namespace jarvis::shepherd
