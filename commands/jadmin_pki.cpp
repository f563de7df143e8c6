#include "jadmin_pki.hpp"

#include "base/escape.hpp"
#include "base/hostlist.hpp"
#include "base/nearest.hpp"
#include "base/units.hpp"
#include "client/table.hpp"
#include "pki/folder.hpp"
#include "pki/peer_check.hpp"
#include "wire/clocks.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <charconv>
#include <sys/stat.h>

namespace jarvis {

using namespace client;
namespace json = boost::json;

namespace {

constexpr std::array<std::string_view, 4> verbs{"init", "node", "renew", "show"};

std::string folder(const CommandLine& line)
{
    auto path = line.last("dir").value_or(std::string(pki::default_folder));
    while (path.size() > 1 && path.ends_with('/'))
        path.pop_back();
    return path;
}

Result<std::optional<WallTime>> time_option(const CommandLine& line, std::string_view name, WallTime at)
{
    const auto text = line.last(name);
    if (!text)
        return std::nullopt;
    auto time = parse_wall_time(*text, at);
    if (!time)
        return fail(time.error(), "--{}", name);
    return *time;
}

Result<pki::Term> term(const CommandLine& line)
{
    pki::Term term{.now = wall_now()};
    if (const auto text = line.last("days")) {
        std::uint32_t days = 0;
        const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), days);
        if (error != std::errc() || end != text->data() + text->size() || days == 0)
            return fail(Errc::invalid, "--days: \"{}\" is no number of days", escape_for_terminal(*text));
        if (line.has("not-after"))
            return fail(Errc::invalid, "give --days or --not-after, not both");
        term.days = days;
    }
    auto from = time_option(line, "not-before", term.now);
    if (!from)
        return std::unexpected(from.error());
    auto until = time_option(line, "not-after", term.now);
    if (!until)
        return std::unexpected(until.error());
    term.not_before = *from;
    term.not_after = *until;
    return term;
}

// The names of all host lists in the words after the verb.
Result<std::vector<std::string>> names(const CommandLine& line)
{
    std::vector<std::string> all;
    for (std::size_t i = 2; i < line.words.size(); ++i) {
        auto some = expand_hostlist(line.words[i]);
        if (!some)
            return some;
        for (auto& one : *some)
            if (std::ranges::find(all, one) == all.end())
                all.push_back(std::move(one));
    }
    return all;
}

int failed(const Program& program, const Error& error) { return report(program, error.message, Exit::failed); }

void print_made(const std::vector<pki::Entry>& entries)
{
    for (const auto& entry : entries)
        fmt::print("{}: {}, until {}\n", escape_for_terminal(entry.file), pki::describe(entry.certificate),
                   format_rfc3339(entry.certificate.not_after()));
}

int init(const Program& program, const CommandLine& line, const pki::Term& term)
{
    if (line.words.size() > 2)
        return usage_error(program, "pki init takes no names; nodes get theirs with pki node");
    std::optional<pki::Uuid> uuid;
    if (const auto text = line.last("uuid")) {
        auto parsed = pki::parse_uuid(*text);
        if (!parsed)
            return usage_error(program, "--uuid: " + escape_for_terminal(parsed.error().message));
        uuid = *parsed;
    }
    const auto cluster = line.last("name").value_or("jarvis");
    if (!pki::is_cluster_name(cluster))
        return usage_error(program, fmt::format("--name: \"{}\" is no name of a cluster: at most 32 letters, digits, \"-\" and \"_\"",
                                                escape_for_terminal(cluster)));
    const auto made = pki::init(folder(line), cluster, uuid, term);
    if (!made)
        return failed(program, made.error());
    print_made(*made);
    fmt::print("The cluster is \"{}\" with the UUID {}.\n", cluster, pki::to_string(made->front().certificate.identity()->cluster));
    return static_cast<int>(Exit::done);
}

int node(const Program& program, const CommandLine& line, const pki::Term& term)
{
    const auto wanted = names(line);
    if (!wanted)
        return usage_error(program, escape_for_terminal(wanted.error().message));
    if (wanted->empty())
        return usage_error(program, "which nodes? Give their names, such as n[1-4]");
    const auto made = pki::make_nodes(folder(line), *wanted, term);
    if (!made)
        return failed(program, made.error());
    print_made(*made);
    return static_cast<int>(Exit::done);
}

int renew(const Program& program, const CommandLine& line, const pki::Term& term)
{
    const auto wanted = names(line);
    if (!wanted)
        return usage_error(program, escape_for_terminal(wanted.error().message));
    const auto made = pki::renew(folder(line), *wanted, term);
    if (!made)
        return failed(program, made.error());
    print_made(*made);
    return static_cast<int>(Exit::done);
}

// --- show ---

// What is wrong with a certificate, or soon will be; empty: nothing.
std::string trouble(const pki::Entry& entry, const std::vector<pki::Entry>& all, WallTime at)
{
    if (auto valid = pki::check_validity(entry.certificate, at); !valid)
        return valid.error().message;
    if (auto warning = pki::expiry_warning(entry.certificate, at))
        return *warning;
    const auto& authority = all.front();
    if (authority.name == pki::authority_name && !entry.certificate.is_signed_by(authority.certificate))
        return fmt::format("{} was not made by the authority of {}", pki::describe(entry.certificate), authority.file);
    return {};
}

json::object to_json(const pki::Entry& entry, const std::string& trouble)
{
    const auto identity = entry.certificate.identity();
    json::object object{{"file", json::string(escape_invalid_utf8(entry.file))}};
    object["role"] = identity ? json::value(pki::name(identity->role)) : json::value(nullptr);
    object["name"] = identity ? json::value(identity->name) : json::value(nullptr);
    object["cluster_name"] = entry.certificate.cluster_name();
    object["cluster_uuid"] = identity ? json::value(pki::to_string(identity->cluster)) : json::value(nullptr);
    object["not_before"] = format_rfc3339(entry.certificate.not_before());
    object["not_after"] = format_rfc3339(entry.certificate.not_after());
    object["fingerprint"] = entry.certificate.fingerprint();
    object["trouble"] = trouble.empty() ? json::value(nullptr) : json::value(json::string(escape_invalid_utf8(trouble)));
    return object;
}

void print(const pki::Entry& entry)
{
    const auto& certificate = entry.certificate;
    const auto identity = certificate.identity();
    fmt::print("{}\n", escape_for_terminal(entry.file));
    if (identity)
        fmt::print("  role         {}\n  name         {}\n  cluster      {}, {}\n", pki::name(identity->role), identity->name,
                   certificate.cluster_name(), pki::to_string(identity->cluster));
    else
        fmt::print("  {}\n", identity.error().message);
    fmt::print("  valid        {} to {}\n  fingerprint  {}\n", format_rfc3339(certificate.not_before()),
               format_rfc3339(certificate.not_after()), certificate.fingerprint());
}

Result<std::vector<pki::Entry>> wanted_entries(const CommandLine& line)
{
    if (line.words.size() < 3)
        return pki::list(folder(line));
    std::vector<pki::Entry> entries;
    for (std::size_t i = 2; i < line.words.size(); ++i) {
        const auto& file = line.words[i];
        auto certificate = pki::Certificate::read(file);
        if (!certificate)
            return std::unexpected(certificate.error());
        entries.push_back({"", file, std::move(*certificate)});
    }
    return entries;
}

int show(const Program& program, const CommandLine& line, const pki::Term& term)
{
    const auto entries = wanted_entries(line);
    if (!entries)
        return failed(program, entries.error());
    json::array all;
    bool fine = true;
    for (const auto& entry : *entries) {
        const auto wrong = trouble(entry, *entries, term.now);
        if (line.has("json"))
            all.push_back(to_json(entry, wrong));
        else
            print(entry);
        if (wrong.empty())
            continue;
        fine = false;
        (void)std::fflush(stdout); // the warning below what it is about
        (void)report(program, escape_for_terminal(wrong), Exit::failed);
    }
    if (line.has("json"))
        fmt::print("{}\n", json::serialize(json::object{{"schema", "jarvis.pki/1"}, {"certificates", std::move(all)}}));
    return static_cast<int>(fine ? Exit::done : Exit::failed);
}

} // namespace

int run_pki(const Program& program, const CommandLine& line)
{
    const std::string verb = line.words.size() < 2 ? "" : line.words[1];
    if (std::ranges::find(verbs, verb) == verbs.end())
        return usage_error(program, verb.empty() ? fmt::format("what to do with the certificates? One of: {}", fmt::join(verbs, ", "))
                                                 : fmt::format("unknown action \"pki {}\"{}", escape_for_terminal(verb), did_you_mean(verb, verbs)));
    for (const auto option : pki_options) {
        const bool of_init = option == "name" || option == "uuid";
        if (line.has(option) && ((of_init && verb != "init") || (verb == "show" && option != "dir")))
            return usage_error(program, fmt::format("--{} is not for pki {}", option, verb));
    }
    if (line.has("json") && verb != "show")
        return usage_error(program, fmt::format("--json is not for pki {}", verb));
    const auto wanted = term(line);
    if (!wanted)
        return usage_error(program, wanted.error().message);
    if (verb == "init")
        return init(program, line, *wanted);
    if (verb == "node")
        return node(program, line, *wanted);
    return verb == "renew" ? renew(program, line, *wanted) : show(program, line, *wanted);
}

} // namespace jarvis
