#include "base/host_port.hpp"

#include "base/hostlist.hpp"

#include <algorithm>
#include <charconv>

namespace jarvis {

namespace {

// Near enough: whoever uses it finds out the rest.
bool is_ipv6_text(std::string_view text)
{
    text = text.substr(0, text.find('%')); // fe80::1%eth0
    const auto colons = std::ranges::count(text, ':');
    const bool whole = colons == 7 || (colons == 6 && text.find('.') != std::string_view::npos);
    return (whole || text.find("::") != std::string_view::npos) && std::ranges::all_of(text, [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == ':' || c == '.';
    });
}

} // namespace

Result<HostPort> parse_host_port(std::string_view text, std::uint16_t default_port)
{
    const auto wrong = [&] {
        return fail(Errc::invalid, "\"{}\" is no address such as \"head:{}\" or \"[fd00::1]:{}\"", text, default_port, default_port);
    };
    HostPort address{.port = default_port};
    std::string_view port;
    bool has_port = false;
    if (text.starts_with('[')) {
        const auto end = text.find(']');
        if (end == std::string_view::npos)
            return wrong();
        address.host = text.substr(1, end - 1);
        const auto rest = text.substr(end + 1);
        has_port = !rest.empty();
        if (!is_ipv6_text(address.host) || (has_port && rest[0] != ':'))
            return wrong();
        port = rest.substr(has_port ? 1 : 0);
    } else if (is_ipv6_text(text)) {
        address.host = text;
    } else {
        const auto colon = text.find(':');
        has_port = colon != std::string_view::npos;
        address.host = text.substr(0, colon);
        if (!is_host_name(address.host))
            return wrong();
        port = has_port ? text.substr(colon + 1) : std::string_view();
    }
    if (has_port) {
        const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
        if (error != std::errc() || end != port.data() + port.size())
            return fail(Errc::invalid, "\"{}\": \"{}\" is no port; they go to 65535", text, port);
    }
    return address;
}

std::string to_string(const HostPort& address)
{
    const bool brackets = address.host.find(':') != std::string::npos;
    return fmt::format("{}{}{}:{}", brackets ? "[" : "", address.host, brackets ? "]" : "", address.port);
}

} // namespace jarvis
