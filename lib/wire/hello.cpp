#include "wire/hello.hpp"

#include "base/version.hpp"
#include "wire/convert.hpp"
#include "wire/limits.hpp"

namespace jarvis::wire {

namespace {

std::string hex(std::string_view bytes)
{
    std::string text;
    for (unsigned char byte : bytes)
        text += fmt::format("{:02x}", byte);
    return text;
}

} // namespace

std::string software(std::string_view program) { return fmt::format("{} {}", program, version); }

Hello make_hello(Hello::Role role, std::string_view program, WallTime now)
{
    Hello hello;
    hello.set_protocol_major(protocol_major);
    hello.set_protocol_minor(protocol_minor);
    hello.set_software(software(program));
    hello.set_wall_us(now.time_since_epoch().count());
    hello.set_role(role);
    return hello;
}

Hello refusing_hello(std::string_view program, WallTime now, const jarvis::Error& why)
{
    Hello hello = make_hello(Hello::CONTROLLER, program, now);
    *hello.mutable_refused() = to_message(why);
    return hello;
}

Result<void> check_hello(const Hello& theirs, const ClusterIdentity& ours, std::string_view peer)
{
    const struct {
        std::string_view text;
        std::size_t limit;
        std::string_view field;
    } texts[] = {{theirs.software(), limits::name, "software"},
                 {theirs.cluster_name(), limits::name, "cluster name"},
                 {theirs.node_name(), limits::name, "node name"}};
    for (const auto& text : texts)
        if (auto checked = check_text(text.text, text.limit, text.field); !checked)
            return fail(checked.error(), "{}", peer);
    // The version first: of another protocol the rest may mean anything, a refusal but for its message included.
    if (theirs.protocol_major() != protocol_major)
        return fail(Errc::invalid, "{} ({}) speaks protocol {}.{}, this is {} with protocol {}.{}; use versions that fit",
                    peer, theirs.software().empty() ? "unknown software" : theirs.software(), theirs.protocol_major(),
                    theirs.protocol_minor(), version, protocol_major, protocol_minor);
    if (theirs.has_refused())
        return std::unexpected(from_message(theirs.refused()));
    if (!Hello::Role_IsValid(theirs.role()))
        return fail(Errc::corrupt, "{}: there is no role {}", peer, static_cast<int>(theirs.role()));
    if (!theirs.cluster_uuid().empty() && theirs.cluster_uuid().size() != cluster_uuid_size)
        return fail(Errc::corrupt, "{}: a cluster UUID has {} bytes, not {}", peer, cluster_uuid_size,
                    theirs.cluster_uuid().size());
    if (!theirs.cluster_name().empty() && !ours.name.empty() && theirs.cluster_name() != ours.name)
        return fail(Errc::invalid, "{} is of cluster \"{}\", this is cluster \"{}\"", peer, theirs.cluster_name(),
                    ours.name);
    if (!theirs.cluster_uuid().empty() && !ours.uuid.empty() && theirs.cluster_uuid() != ours.uuid)
        return fail(Errc::invalid, "{} is of a cluster of the same name with another UUID ({}, here {})", peer,
                    hex(theirs.cluster_uuid()), hex(ours.uuid));
    return {};
}

std::optional<std::string> clock_skew(const Hello& theirs, WallTime now, std::string_view peer, Duration tolerance)
{
    auto time = wall_time_from(theirs.wall_us(), "clock");
    if (!time)
        return fmt::format("the clock of {} makes no sense ({})", peer, time.error().message);
    auto ahead = *time - now;
    if (ahead <= tolerance && -ahead <= tolerance)
        return std::nullopt;
    auto tenths = std::chrono::duration_cast<std::chrono::milliseconds>(ahead < ahead.zero() ? -ahead : ahead).count() / 100;
    return fmt::format("the clock of {} is {}.{} s {}", peer, tenths / 10, tenths % 10,
                       ahead > ahead.zero() ? "ahead" : "behind");
}

} // namespace jarvis::wire
