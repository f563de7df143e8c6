// jplugin: what plugins there are, what can be set in them, and whether they keep their promises. It asks no daemon.
#include "base/escape.hpp"
#include "base/nearest.hpp"
#include "client/command_line.hpp"
#include "client/table.hpp"
#include "plugin/check_process.hpp"

#include <boost/json.hpp>

#include <filesystem>

#include <unistd.h>

using namespace jarvis;
using namespace jarvis::client;
namespace json = boost::json;

namespace {

constexpr Option options[] = {
    {'c', "config", "FILE", "the configuration (default: JARVIS_CONF, else /etc/jarvis/jarvis.toml)"},
    {0, "directory", "DIR", "look for plugins there (default: as the configuration says)"},
    {0, "json", "", "print JSON (schemas jarvis.plugins/1, jarvis.plugin/1, jarvis.plugin_check/1)"},
};

// A check that hangs is ended after this; the longest one takes about a second on a slow disk.
constexpr std::chrono::seconds check_limit{120};

// What the words and options mean.
struct Setup {
    std::optional<config::Config> config; // none: there is no configuration, which is fine
    std::string directory;
    bool json = false;
};

std::string document(json::object object)
{
    return json::serialize(object) + "\n";
}

json::string safe(std::string_view text)
{
    return json::string(escape_invalid_utf8(text));
}

Result<Setup> set_up(const CommandLine& line)
{
    Setup setup{.config = {}, .directory = {}, .json = line.has("json")};
    const std::string file = config::find_config_path(line.last("config"));
    const bool must_exist = line.has("config") || std::getenv("JARVIS_CONF");
    if (must_exist || ::access(file.c_str(), F_OK) == 0) {
        auto config = config::load_config(file);
        if (!config)
            return std::unexpected(config.error().error());
        setup.config = std::move(*config);
    }
    setup.directory =
        line.last("directory").value_or(config::plugin_directory(setup.config.value_or(config::Config{})));
    return setup;
}

bool is_used(const Setup& setup, const plugin::Candidate& candidate)
{
    if (!setup.config)
        return false;
    const auto& [storage, policy, auth] =
        std::tie(setup.config->controller.storage, setup.config->controller.policy, setup.config->controller.auth);
    return (candidate.kind == "storage" && candidate.name == storage) ||
           (candidate.kind == "policy" && candidate.name == policy) ||
           (candidate.kind == "auth" && candidate.name == auth) ||
           (candidate.kind == "runtime" && candidate.name == setup.config->jnoded.runtime);
}

std::string version_of(const jarvis_plugin_header& header)
{
    return fmt::format("{}.{}", header.abi_major, header.abi_minor);
}

// --- list ---

// What cannot be known of a plugin that cannot be loaded is null.
json::object list_json(const plugin::Candidate& candidate, bool used, const Result<plugin::Opened>& opened)
{
    json::object object{
        {"kind", safe(candidate.kind)}, {"name", safe(candidate.name)}, {"file", safe(candidate.file)}, {"used", used}};
    object["version"] = opened ? json::value(safe(opened->header->version)) : json::value(nullptr);
    object["abi"] = opened ? json::value(version_of(*opened->header)) : json::value(nullptr);
    object["text"] = opened ? json::value(safe(opened->header->text)) : json::value(nullptr);
    object["error"] = opened ? json::value(nullptr) : json::value(safe(opened.error().message));
    return object;
}

int list(const Program& program, const Setup& setup)
{
    const auto found = plugin::list_plugins(setup.directory);
    if (!found)
        return report(program, found.error());
    Table table{.columns = {{"KIND"}, {"NAME"}, {"VERSION"}, {"ABI"}, {"USED"}, {"FILE"}}, .rows = {}};
    json::array all;
    Exit exit = Exit::done;
    for (const auto& candidate : *found) {
        const auto opened = plugin::open_plugin(candidate.file, candidate.kind);
        const bool used = is_used(setup, candidate);
        all.push_back(list_json(candidate, used, opened));
        if (!opened)
            exit = static_cast<Exit>(report(program, opened.error().message, Exit::failed));
        table.rows.push_back({{escape_for_terminal(candidate.kind)},
                              {escape_for_terminal(candidate.name)},
                              {opened ? escape_for_terminal(opened->header->version) : "-"},
                              {opened ? version_of(*opened->header) : "-"},
                              {used ? "yes" : "-"},
                              {escape_for_terminal(candidate.file)}});
    }
    if (setup.json)
        fmt::print("{}", document({{"schema", "jarvis.plugins/1"},
                                   {"directory", safe(setup.directory)},
                                   {"plugins", std::move(all)}}));
    else
        fmt::print("{}", render(table, standard_output_style()));
    return static_cast<int>(exit);
}

// --- finding one ---

Result<plugin::Candidate> candidate_of_file(const std::string& file)
{
    const std::string stem = std::filesystem::path(file).stem();
    for (const std::string_view kind : plugin::kinds)
        if (stem.starts_with(fmt::format("{}_", kind)))
            return plugin::Candidate{std::string(kind), stem.substr(kind.size() + 1), file};
    return fail(Errc::invalid, "{}: a plugin's file is called KIND_NAME.so, with KIND one of {}", file,
                fmt::join(plugin::kinds, ", "));
}

// Takes "sqlite", "storage.sqlite", "storage_sqlite" and paths.
Result<plugin::Candidate> find(const Setup& setup, const std::string& word)
{
    if (word.find('/') != std::string::npos || word.ends_with(".so"))
        return candidate_of_file(word);
    const auto all = plugin::list_plugins(setup.directory);
    if (!all)
        return std::unexpected(all.error());
    std::vector<plugin::Candidate> matching;
    std::vector<std::string_view> names;
    for (const auto& one : *all) {
        names.push_back(one.name);
        if (word == one.name || word == fmt::format("{}.{}", one.kind, one.name) ||
            word == fmt::format("{}_{}", one.kind, one.name))
            matching.push_back(one);
    }
    if (matching.empty())
        return fail(Errc::not_found, "there is no plugin {} in {}{}", word, setup.directory, did_you_mean(word, names));
    if (matching.size() > 1)
        return fail(Errc::invalid, "{} is the name of more than one plugin; say {}.{} or {}.{}", word, matching[0].kind,
                    word, matching[1].kind, word);
    return matching.front();
}

// --- describe ---

json::object describe_json(const plugin::Candidate& candidate, const jarvis_plugin_header& header,
                           std::span<const config::SettingSchema> schema)
{
    json::array settings;
    for (const auto& setting : schema)
        settings.push_back(
            {{"name", safe(setting.name)},
             {"type", config::name(setting.type)},
             {"default", setting.default_value ? json::value(safe(*setting.default_value)) : json::value(nullptr)},
             {"unit", safe(setting.unit)},
             {"text", safe(setting.text)}});
    return {{"schema", "jarvis.plugin/1"},     {"kind", safe(candidate.kind)},   {"name", safe(candidate.name)},
            {"version", safe(header.version)}, {"abi", version_of(header)},      {"text", safe(header.text)},
            {"file", safe(candidate.file)},    {"settings", std::move(settings)}};
}

void print_setting(const config::SettingSchema& setting)
{
    const std::string unit = setting.unit.empty() ? "" : fmt::format(" ({})", setting.unit);
    const bool quoted = setting.type != config::SettingType::integer && setting.type != config::SettingType::boolean;
    std::string value = "must be given";
    if (setting.default_value)
        value = quoted ? fmt::format("default \"{}\"", *setting.default_value)
                       : fmt::format("default {}", *setting.default_value);
    fmt::print("\n{}: {}{}, {}\n    {}\n", escape_for_terminal(setting.name), config::name(setting.type),
               escape_for_terminal(unit), escape_for_terminal(value), escape_for_terminal(setting.text));
}

int describe(const Program& program, const Setup& setup, const plugin::Candidate& candidate)
{
    const auto opened = plugin::open_plugin(candidate.file, candidate.kind);
    if (!opened)
        return report(program, opened.error());
    const auto schema = plugin::settings_schema(*opened->header);
    if (setup.json) {
        fmt::print("{}", document(describe_json(candidate, *opened->header, schema)));
        return static_cast<int>(Exit::done);
    }
    fmt::print("{} plugin {}, version {} (plugin ABI {})\n{}\n{}\n", candidate.kind,
               escape_for_terminal(candidate.name), escape_for_terminal(opened->header->version),
               version_of(*opened->header), escape_for_terminal(opened->header->text),
               escape_for_terminal(candidate.file));
    if (schema.empty())
        fmt::print("\nIt has no settings.\n");
    else
        fmt::print("\nSettings, in [plugin.{}.{}]:\n", candidate.kind, escape_for_terminal(candidate.name));
    for (const auto& setting : schema)
        print_setting(setting);
    return static_cast<int>(Exit::done);
}

// --- check ---

int check(const Program& program, const Setup& setup, const plugin::Candidate& candidate)
{
    if (::access(candidate.file.c_str(), F_OK) != 0)
        return report(program, fmt::format("plugin {}: no such file", candidate.file), Exit::not_found);
    plugin::Source source{.file = candidate.file};
    if (setup.config) {
        source.section = setup.config->plugin_section(candidate.kind, candidate.name);
        source.config_file = setup.config->file;
    }
    int count = 0, failures = 0;
    json::array results;
    const auto done =
        plugin::check_in_child(candidate.kind, source, check_limit, [&](const plugin::CheckResult& result) {
            ++count;
            failures += result.passed ? 0 : 1;
            if (setup.json)
                results.push_back({{"name", safe(result.name)}, {"passed", result.passed}, {"why", safe(result.why)}});
            else if (result.passed)
                fmt::print("ok      {}\n", escape_for_terminal(result.name));
            else
                fmt::print("FAILED  {}: {}\n", escape_for_terminal(result.name), escape_for_terminal(result.why));
            std::fflush(stdout);
        });
    if (!done)
        return report(program, done.error());
    if (setup.json)
        fmt::print("{}", document({{"schema", "jarvis.plugin_check/1"},
                                   {"kind", safe(candidate.kind)},
                                   {"name", safe(candidate.name)},
                                   {"file", safe(candidate.file)},
                                   {"checks", std::move(results)},
                                   {"passed", failures == 0}}));
    else
        fmt::print("{} {}: {} checks, {} failed\n", candidate.kind, escape_for_terminal(candidate.name), count,
                   failures);
    return static_cast<int>(failures == 0 ? Exit::done : Exit::failed);
}

int run(const Program& program, const CommandLine& line)
{
    constexpr std::array<std::string_view, 3> actions{"list", "describe", "check"};
    const std::string action = line.words.empty() ? "" : line.words[0];
    if (std::ranges::find(actions, action) == actions.end())
        return usage_error(program, action.empty() ? "what to do? One of: list, describe, check"
                                                   : fmt::format("unknown action \"{}\"{}", escape_for_terminal(action),
                                                                 did_you_mean(action, actions)));
    const std::size_t wanted = action == "list" ? 1 : 2;
    if (line.words.size() != wanted)
        return usage_error(program,
                           wanted == 1 ? "list takes no name" : fmt::format("{} takes the name of one plugin", action));
    const auto setup = set_up(line);
    if (!setup)
        return report(program, setup.error().message, Exit::usage);
    if (action == "list")
        return list(program, *setup);
    const auto candidate = find(*setup, line.words[1]);
    if (!candidate)
        return report(program, candidate.error().message,
                      candidate.error().code == Errc::not_found ? Exit::not_found : Exit::usage);
    return action == "describe" ? describe(program, *setup, *candidate) : check(program, *setup, *candidate);
}

} // namespace

int main(int argc, char** argv)
{
    const Program program{
        .name = "jplugin",
        .summary = "Show and check plugins.",
        .usage = {"list", "describe NAME", "check NAME", "check FILE"},
        .options = options,
        .notes = "list      the plugins that are there, and which of them the configuration uses\n"
                 "describe  a plugin's settings, with their documentation\n"
                 "check     run the conformance tests of its kind, in a process of its own\n"
                 "A NAME is \"sqlite\", or \"storage.sqlite\" where one kind is not enough.",
    };
    return run_program(program, argc, argv, run);
}
