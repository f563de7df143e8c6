#include "pki/folder.hpp"

#include "base/escape.hpp"
#include "base/hostlist.hpp"
#include "base/units.hpp"
#include "pki/authority.hpp"
#include "pki/files.hpp"
#include "pki/peer_check.hpp"

#include <dirent.h>

#include <algorithm>
#include <cerrno>

namespace jarvis::pki {

namespace {

constexpr std::uint32_t authority_days = 3650;
constexpr std::uint32_t usual_days = 365;
constexpr std::uint32_t most_days = 36500;
// A certificate made on one machine is used on another one at once.
constexpr auto backdated = std::chrono::minutes(5);

Result<Validity> validity(const Term& term, std::uint32_t default_days)
{
    const auto days = term.days.value_or(default_days);
    if (days == 0 || days > most_days)
        return fail(Errc::invalid, "a certificate can be valid for 1 to {} days", most_days);
    const auto from = term.not_before.value_or(term.now - backdated);
    const auto until = term.not_after.value_or(term.not_before.value_or(term.now) + std::chrono::days(days));
    if (until <= from)
        return fail(Errc::invalid, "a certificate cannot end ({}) before it begins ({})", format_rfc3339(until), format_rfc3339(from));
    return Validity{from, until};
}

struct Authority {
    Certificate certificate;
    Key key;
    Identity identity;
};

Result<Authority> open_authority(const std::string& folder, WallTime now)
{
    const auto files = paths(folder, authority_name);
    auto certificate = Certificate::read(files.certificate);
    if (!certificate && certificate.error().code == Errc::not_found)
        return fail(Errc::not_found, "there is no certificate authority in {}; make one with jadmin pki init --dir {}", folder, folder);
    if (!certificate)
        return std::unexpected(certificate.error());
    auto identity = certificate->identity();
    if (!identity || identity->role != Role::authority)
        return fail(Errc::corrupt, "{} is not the certificate of a Jarvis cluster's authority", files.certificate);
    auto key = Key::read(files.key);
    if (!key)
        return fail(key.error(), "the authority of {}", folder);
    if (!certificate->belongs_to(*key))
        return fail(Errc::corrupt, "{} is not the key of {}", files.key, files.certificate);
    if (auto valid = check_validity(*certificate, now); !valid)
        return fail(Errc::invalid, "{} and can make nothing; renew it first: jadmin pki renew {} --dir {}, and copy {} to all nodes",
                    valid.error().message.substr(0, valid.error().message.find(';')), authority_name, folder, files.certificate);
    return Authority{std::move(*certificate), std::move(*key), std::move(*identity)};
}

Result<void> write_certificate(const std::string& path, const Certificate& certificate)
{
    auto pem = certificate.to_pem();
    return pem ? write_file(path, *pem, 0644) : std::unexpected(pem.error());
}

Result<Key> new_key(const std::string& path)
{
    auto key = Key::generate();
    if (!key)
        return key;
    auto pem = key->to_pem();
    if (!pem)
        return std::unexpected(pem.error());
    if (auto written = write_file(path, *pem, 0600); !written)
        return std::unexpected(written.error());
    return key;
}

// The key first: a certificate that is there has its key. One that was left by an attempt that failed is used.
Result<Entry> make_one(const Authority& authority, const std::string& folder, const Identity& identity, const std::string& name, const Validity& term)
{
    const auto files = paths(folder, name);
    auto there = exists(files.key);
    if (!there)
        return std::unexpected(there.error());
    auto key = *there ? Key::read(files.key) : new_key(files.key);
    if (!key)
        return std::unexpected(key.error());
    auto certificate = issue({authority.certificate, authority.key}, *key, identity, term);
    if (!certificate)
        return std::unexpected(certificate.error());
    if (auto written = write_certificate(files.certificate, *certificate); !written)
        return std::unexpected(written.error());
    return Entry{name, files.certificate, std::move(*certificate)};
}

Result<void> check_node_names(const std::string& folder, std::span<const std::string> names)
{
    std::vector<std::string> existing;
    for (const auto& name : names) {
        if (!is_host_name(name))
            return fail(Errc::invalid, "\"{}\" is no name of a node", escape_for_terminal(name));
        if (name == authority_name || name == controller_name)
            return fail(Errc::invalid, "no node can be named \"{}\" here: that is what the {} is called", name,
                        name == authority_name ? "authority" : "controller's certificate");
        auto there = exists(paths(folder, name).certificate);
        if (!there)
            return std::unexpected(there.error());
        if (*there)
            existing.push_back(name);
    }
    if (!existing.empty())
        return fail(Errc::invalid, "there {} of {} in {} already; renew with jadmin pki renew, or remove what is there first",
                    existing.size() == 1 ? "is a certificate" : "are certificates", compress_hostlist(existing), folder);
    return {};
}

Result<std::vector<std::string>> node_names(const std::string& folder)
{
    constexpr std::string_view suffix = ".crt";
    const auto path = folder + "/nodes";
    std::vector<std::string> names;
    DIR* entries = ::opendir(path.c_str());
    if (!entries && errno == ENOENT)
        return names;
    if (!entries)
        return std::unexpected(system_error(errno, fmt::format("cannot open the folder {}", path)));
    while (const auto* entry = ::readdir(entries)) {
        std::string_view file = entry->d_name;
        if (file.ends_with(suffix) && is_host_name(file.substr(0, file.size() - suffix.size())))
            names.emplace_back(file.substr(0, file.size() - suffix.size()));
    }
    ::closedir(entries);
    std::ranges::sort(names);
    return names;
}

Result<Entry> renew_one(const Authority& authority, const std::string& folder, const std::string& name, const Term& term)
{
    const auto files = paths(folder, name);
    auto old = Certificate::read(files.certificate);
    if (!old)
        return fail(old.error(), "cannot renew {}", name);
    auto identity = old->identity();
    if (!identity)
        return fail(identity.error(), "cannot renew {}", files.certificate);
    if (identity->cluster != authority.identity.cluster)
        return fail(Errc::invalid, "cannot renew {}: it is of another cluster, {}", files.certificate, to_string(identity->cluster));
    auto key = Key::read(files.key);
    if (!key)
        return fail(key.error(), "cannot renew {}", name);
    if (!old->belongs_to(*key))
        return fail(Errc::corrupt, "cannot renew {}: {} is not its key", files.certificate, files.key);
    auto wanted = validity(term, usual_days);
    if (!wanted)
        return std::unexpected(wanted.error());
    auto certificate = issue({authority.certificate, authority.key}, *key, *identity, *wanted);
    if (!certificate)
        return std::unexpected(certificate.error());
    if (auto written = write_certificate(files.certificate, *certificate); !written)
        return std::unexpected(written.error());
    return Entry{name, files.certificate, std::move(*certificate)};
}

// Also an expired one: that is what it is for.
Result<Entry> renew_authority(const std::string& folder, const Term& term)
{
    const auto files = paths(folder, authority_name);
    auto old = Certificate::read(files.certificate);
    if (!old)
        return fail(old.error(), "cannot renew the authority");
    auto identity = old->identity();
    auto key = Key::read(files.key);
    if (!key)
        return fail(key.error(), "cannot renew the authority");
    if (!identity || identity->role != Role::authority || !old->belongs_to(*key))
        return fail(Errc::corrupt, "{} and {} are not those of a Jarvis cluster's authority", files.certificate, files.key);
    auto wanted = validity(term, authority_days);
    if (!wanted)
        return std::unexpected(wanted.error());
    auto certificate = make_authority(*key, *identity, *wanted);
    if (!certificate)
        return std::unexpected(certificate.error());
    if (auto written = write_certificate(files.certificate, *certificate); !written)
        return std::unexpected(written.error());
    return Entry{std::string(authority_name), files.certificate, std::move(*certificate)};
}

Result<void> check_nothing_there(const std::string& folder)
{
    const auto files = paths(folder, authority_name);
    for (const auto* path : {&files.certificate, &files.key}) {
        auto there = exists(*path);
        if (!there)
            return std::unexpected(there.error());
        if (*there)
            return fail(Errc::invalid, "there is a certificate authority in {} already ({}); a new one would make every certificate of "
                                       "the cluster useless", folder, *path);
    }
    return {};
}

} // namespace

Paths paths(const std::string& folder, std::string_view name)
{
    const bool node = name != authority_name && name != controller_name;
    const auto base = fmt::format("{}/{}{}", folder, node ? "nodes/" : "", name);
    return {base + ".crt", base + ".key"};
}

Result<std::vector<Entry>> init(const std::string& folder, const std::string& cluster, const std::optional<Uuid>& given, const Term& term)
{
    if (!is_cluster_name(cluster))
        return fail(Errc::invalid, "\"{}\" is no name of a cluster: at most 32 letters, digits, \"-\" and \"_\"", escape_for_terminal(cluster));
    const auto own_term = validity(term, authority_days);
    if (!own_term)
        return std::unexpected(own_term.error());
    const auto controller_term = validity({.now = term.now, .not_before = term.not_before}, usual_days);
    if (auto free = check_nothing_there(folder); !free)
        return std::unexpected(free.error());
    auto uuid = given ? Result<Uuid>(*given) : random_uuid();
    if (!uuid)
        return std::unexpected(uuid.error());
    if (auto made = make_folder(folder); !made)
        return std::unexpected(made.error());
    const auto files = paths(folder, authority_name);
    const Identity identity{Role::authority, cluster, *uuid};
    auto key = new_key(files.key);
    auto certificate = key ? make_authority(*key, identity, *own_term) : std::unexpected(key.error());
    if (!certificate)
        return std::unexpected(certificate.error());
    if (auto written = write_certificate(files.certificate, *certificate); !written)
        return std::unexpected(written.error());
    std::vector<Entry> made{{std::string(authority_name), files.certificate, *certificate}};
    auto controller = make_one({*certificate, *key, identity}, folder, {Role::controller, std::string(controller_name), *uuid},
                               std::string(controller_name), *controller_term);
    if (!controller)
        return std::unexpected(controller.error());
    made.push_back(std::move(*controller));
    return made;
}

Result<std::vector<Entry>> make_nodes(const std::string& folder, std::span<const std::string> names, const Term& term)
{
    auto authority = open_authority(folder, term.now);
    if (!authority)
        return std::unexpected(authority.error());
    if (auto fine = check_node_names(folder, names); !fine)
        return std::unexpected(fine.error());
    const auto wanted = validity(term, usual_days);
    if (!wanted)
        return std::unexpected(wanted.error());
    if (auto made = make_folder(folder + "/nodes"); !made)
        return std::unexpected(made.error());
    std::vector<Entry> made;
    for (const auto& name : names) {
        auto one = make_one(*authority, folder, {Role::node, name, authority->identity.cluster}, name, *wanted);
        if (!one)
            return std::unexpected(one.error());
        made.push_back(std::move(*one));
    }
    return made;
}

Result<std::vector<Entry>> renew(const std::string& folder, std::span<const std::string> names, const Term& term)
{
    std::vector<std::string> wanted(names.begin(), names.end());
    std::vector<Entry> made;
    if (std::erase(wanted, authority_name) > 0) {
        auto one = renew_authority(folder, term);
        if (!one)
            return std::unexpected(one.error());
        made.push_back(std::move(*one));
        if (wanted.empty())
            return made;
    }
    auto authority = open_authority(folder, term.now);
    if (!authority)
        return std::unexpected(authority.error());
    if (names.empty()) {
        auto nodes = node_names(folder);
        if (!nodes)
            return std::unexpected(nodes.error());
        wanted = std::move(*nodes);
        wanted.insert(wanted.begin(), std::string(controller_name));
    }
    for (const auto& name : wanted) {
        if (!is_host_name(name))
            return fail(Errc::invalid, "\"{}\" is no name of a node", escape_for_terminal(name));
        auto one = renew_one(*authority, folder, name, term);
        if (!one)
            return std::unexpected(one.error());
        made.push_back(std::move(*one));
    }
    return made;
}

Result<std::vector<Entry>> list(const std::string& folder)
{
    auto names = node_names(folder);
    if (!names)
        return std::unexpected(names.error());
    names->insert(names->begin(), {std::string(authority_name), std::string(controller_name)});
    std::vector<Entry> entries;
    for (const auto& name : *names) {
        const auto file = paths(folder, name).certificate;
        auto certificate = Certificate::read(file);
        if (!certificate && certificate.error().code == Errc::not_found)
            continue; // a node's folder has no controller, and the authority may be elsewhere
        if (!certificate)
            return std::unexpected(certificate.error());
        entries.push_back({name, file, std::move(*certificate)});
    }
    if (entries.empty())
        return fail(Errc::not_found, "there is no certificate in {}; make an authority with jadmin pki init --dir {}", folder, folder);
    return entries;
}

} // namespace jarvis::pki
