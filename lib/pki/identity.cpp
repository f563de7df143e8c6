#include "pki/identity.hpp"

#include "base/hostlist.hpp"
#include "pki/openssl.hpp"

#include <openssl/rand.h>

#include <algorithm>

namespace jarvis::pki {

namespace {

constexpr std::string_view scheme = "jarvis://";
constexpr std::size_t uuid_length = 36;

int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

constexpr bool dash_at(std::size_t position) { return position == 8 || position == 13 || position == 18 || position == 23; }

} // namespace

std::string to_string(const Uuid& uuid)
{
    std::string text;
    for (auto byte : uuid) {
        if (dash_at(text.size()))
            text += '-';
        text += fmt::format("{:02x}", byte);
    }
    return text;
}

Result<Uuid> parse_uuid(std::string_view text)
{
    const auto wrong = [&] {
        return fail(Errc::invalid, "\"{}\" is no UUID; one looks like c1f8f7b2-8a4e-4c2d-9f3b-2f7c6d5e4a3b", text);
    };
    if (text.size() != uuid_length)
        return wrong();
    Uuid uuid{};
    std::size_t digits = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (dash_at(i) && text[i] == '-')
            continue;
        const int digit = hex_digit(text[i]);
        if (dash_at(i) || digit < 0)
            return wrong();
        uuid[digits / 2] = static_cast<std::uint8_t>(uuid[digits / 2] << 4 | digit);
        ++digits;
    }
    return uuid;
}

Result<Uuid> random_uuid()
{
    Uuid uuid{};
    if (RAND_bytes(uuid.data(), static_cast<int>(uuid.size())) != 1)
        return std::unexpected(openssl_error("cannot make a random UUID"));
    uuid[6] = static_cast<std::uint8_t>((uuid[6] & 0x0f) | 0x40);
    uuid[8] = static_cast<std::uint8_t>((uuid[8] & 0x3f) | 0x80);
    return uuid;
}

std::string_view name(Role role)
{
    switch (role) {
    case Role::authority: return "authority";
    case Role::controller: return "controller";
    case Role::node: break;
    }
    return "node";
}

std::string describe(const Identity& identity)
{
    if (identity.role == Role::authority)
        return fmt::format("certificate authority of cluster {}", identity.name);
    return fmt::format("{} {}", name(identity.role), identity.name);
}

std::string to_uri(const Identity& identity)
{
    return fmt::format("{}{}/{}/{}", scheme, to_string(identity.cluster), name(identity.role), identity.name);
}

Result<Identity> parse_uri(std::string_view uri)
{
    const auto wrong = [&] { return fail(Errc::corrupt, "\"{}\" does not name a part of a Jarvis cluster", uri); };
    if (!uri.starts_with(scheme))
        return wrong();
    auto rest = uri.substr(scheme.size());
    auto uuid = parse_uuid(rest.substr(0, uuid_length));
    if (!uuid || rest.size() <= uuid_length || rest[uuid_length] != '/')
        return wrong();
    rest.remove_prefix(uuid_length + 1);
    const auto slash = rest.find('/');
    if (slash == std::string_view::npos)
        return wrong();
    Identity identity{.name = std::string(rest.substr(slash + 1)), .cluster = *uuid};
    for (Role role : {Role::authority, Role::controller, Role::node}) {
        if (rest.substr(0, slash) != name(role))
            continue;
        identity.role = role;
        if (role == Role::authority ? is_cluster_name(identity.name) : is_host_name(identity.name))
            return identity;
    }
    return wrong();
}

bool is_cluster_name(std::string_view name)
{
    constexpr std::size_t longest = 32;
    return !name.empty() && name.size() <= longest && std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    });
}

} // namespace jarvis::pki
