// From a file to a Config: one pass over the tree that collects all problems, then the checks that need the whole.
#include "config/check.hpp"
#include "config/fields.hpp"
#include "config/values.hpp"

#include "base/escape.hpp"
#include "base/fd.hpp"
#include "base/hostlist.hpp"
#include "base/nearest.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <tuple>
#include <unordered_set>
#include <unistd.h>

namespace jarvis::config {

namespace {

constexpr std::array<std::string_view, 4> plugin_kinds{"storage", "auth", "policy", "runtime"};

// The last word of "controller.socket".
std::string_view last_word(std::string_view key) { return key.substr(key.rfind('.') + 1); }

class Loader {
    Config config_;
    std::vector<PartitionSection> partitions_;
    std::vector<Problem> problems_;

    template <class... Args>
    void problem(const Place& place, std::string_view key, fmt::format_string<Args...> format, Args&&... args)
    {
        problems_.push_back(
            {place, fmt::format("{}: {}", escape_for_terminal(key), fmt::format(format, std::forward<Args>(args)...))});
    }

    void unknown(const RawEntry& entry, std::string_view section, std::string_view what, std::span<const std::string_view> known)
    {
        std::string key = section.empty() ? entry.key : fmt::format("{}.{}", section, entry.key);
        problem(entry.key_place, key, "unknown {}{}", what, did_you_mean(entry.key, known));
    }

    // The entries of one table that `fields` describe. `section` is the fields' common beginning ("partition"), `shown`
    // the same in messages ("partition.gpu").
    template <class Owner>
    void read_table(const RawTable& table, const Fields<Owner>& fields, std::string_view section, std::string_view shown,
                    Owner& owner)
    {
        for (const auto& entry : table) {
            auto found = std::ranges::find_if(fields, [&](const Field<Owner>& f) {
                return f.setting.key.size() == section.size() + 1 + entry.key.size() && f.setting.key.starts_with(section) &&
                       f.setting.key.ends_with(entry.key) && f.setting.key[section.size()] == '.';
            });
            std::string key = fmt::format("{}.{}", shown, entry.key);
            if (found == fields.end()) {
                if (key == "jnoded.limits")
                    read_resource_limits(entry);
                else
                    unknown(entry, shown, "key", names_in(fields, section));
                continue;
            }
            config_.places[key] = entry.value.place;
            if (auto wrong = found->read(entry.value, owner); !wrong.empty())
                problem(entry.value.place, key, "{}", escape_for_terminal(wrong));
        }
    }

    template <class Owner>
    static std::vector<std::string_view> names_in(const Fields<Owner>& fields, std::string_view section)
    {
        std::vector<std::string_view> names;
        for (const auto& f : fields)
            if (f.setting.key.starts_with(section) && f.setting.key[section.size()] == '.')
                names.push_back(last_word(f.setting.key));
        if (section == "jnoded")
            names.push_back("limits");
        return names;
    }

    const RawTable* table_of(const RawEntry& entry, std::string_view key, std::string_view written)
    {
        if (auto* table = std::get_if<RawTable>(&entry.value.value))
            return table;
        problem(entry.value.place, key, "expected a section {}, found {}", written, describe(entry.value));
        return nullptr;
    }

    void read_resource_limits(const RawEntry& entry)
    {
        auto* table = table_of(entry, "jnoded.limits", "[jnoded.limits]");
        if (!table)
            return;
        for (const auto& limit : *table) {
            if (std::ranges::find(resource_limit_names(), limit.key) == resource_limit_names().end()) {
                unknown(limit, "jnoded.limits", "limit", resource_limit_names());
                continue;
            }
            std::string key = "jnoded.limits." + limit.key;
            config_.places[key] = limit.value.place;
            std::string name;
            for (char c : limit.key)
                name += static_cast<char>(c - 'a' + 'A');
            auto& limits = config_.jnoded.limits;
            auto at = std::ranges::find(limits, name, &ResourceLimit::name);
            if (at == limits.end())
                at = limits.insert(limits.end(), {name, 0, 0});
            if (auto wrong = read(limit.value, *at); !wrong.empty())
                problem(limit.value.place, key, "{}", wrong);
        }
        std::ranges::sort(config_.jnoded.limits, {}, &ResourceLimit::name);
    }

    // Every [[name]] of a list of sections.
    template <class Read>
    void read_list(const RawEntry& entry, Read read_one)
    {
        auto* array = std::get_if<RawArray>(&entry.value.value);
        if (!array) {
            problem(entry.key_place, entry.key, "write [[{}]], with two brackets, above each {}", entry.key, entry.key);
            return;
        }
        for (const auto& item : *array) {
            if (auto* table = std::get_if<RawTable>(&item.value))
                read_one(*table, item.place);
            else
                problem(item.place, entry.key, "expected a section [[{}]], found {}", entry.key, describe(item));
        }
    }

    // The text of a key that names a section, for messages about its other keys.
    static std::string text_of(const RawTable& table, std::string_view key)
    {
        auto entry = std::ranges::find(table, key, &RawEntry::key);
        auto* text = entry == table.end() ? nullptr : std::get_if<std::string>(&entry->value.value);
        return text ? *text : "?";
    }

    void read_node(const RawTable& table, const Place& place)
    {
        NodeSection section;
        std::string shown = "node." + text_of(table, "names");
        read_table(table, node_fields(), "node", shown, section);
        auto given = config_.places.find(shown + ".names");
        if (given == config_.places.end())
            return problem(place, "node", "names is missing; it names the nodes of this section, such as \"n[1-4]\"");
        auto names = expand_hostlist(section.names);
        if (!names)
            return problem(given->second, "node.names", "{}", escape_for_terminal(names.error().message));
        for (auto& name : *names) {
            config_.nodes.push_back(section.node);
            config_.nodes.back().place = given->second;
            config_.nodes.back().name = std::move(name);
        }
    }

    void read_node_class(const RawTable& table, const Place& place)
    {
        NodeClassSection section;
        std::string shown = "node_class." + text_of(table, "name");
        read_table(table, node_class_fields(), "node_class", shown, section);
        if (!config_.places.contains(shown + ".name"))
            return problem(place, "node_class", "name is missing");
        auto& node_class = section.node_class;
        node_class.place = place;
        if (!section.names.empty()) {
            auto names = expand_hostlist(section.names);
            if (!names)
                return problem(config_.places.at(shown + ".names"), shown + ".names", "{}", escape_for_terminal(names.error().message));
            node_class.names = std::move(*names);
        }
        if (std::ranges::find(config_.node_classes, node_class.name, &NodeClass::name) != config_.node_classes.end())
            return problem(place, shown, "this class is declared twice");
        config_.node_classes.push_back(std::move(node_class));
    }

    void read_partition(const RawTable& table, const Place& place)
    {
        PartitionSection section;
        std::string shown = "partition." + text_of(table, "name");
        read_table(table, partition_fields(), "partition", shown, section);
        if (!config_.places.contains(shown + ".name"))
            return problem(place, "partition", "name is missing");
        section.partition.place = place;
        // Who shortens the longest time need not think of the default one.
        auto& partition = section.partition;
        if (partition.max_time && !config_.places.contains(shown + ".default_time"))
            partition.default_time = std::min(*partition.default_time, *partition.max_time);
        partitions_.push_back(std::move(section));
    }

    void read_plugin(const RawTable& table, const std::string& kind, const RawEntry& entry)
    {
        PluginSection section{kind, entry.key, entry.value.place, {}};
        for (const auto& setting : table) {
            std::string key = fmt::format("plugin.{}.{}.{}", kind, section.name, setting.key);
            RawSetting raw{setting.key, {}, setting.key_place, setting.value.place};
            if (auto* text = std::get_if<std::string>(&setting.value.value))
                raw.value = *text;
            else if (auto* integer = std::get_if<std::int64_t>(&setting.value.value))
                raw.value = *integer;
            else if (auto* boolean = std::get_if<bool>(&setting.value.value))
                raw.value = *boolean;
            else {
                problem(setting.value.place, key, "expected a string, an integer or a boolean, found {}",
                        describe(setting.value));
                continue;
            }
            section.settings.push_back(std::move(raw));
        }
        config_.plugins.sections.push_back(std::move(section));
    }

    void read_plugins(const RawTable& kinds)
    {
        for (const auto& kind : kinds) {
            if (std::ranges::find(plugin_kinds, kind.key) == plugin_kinds.end()) {
                unknown(kind, "plugin", "kind of plugin", plugin_kinds);
                continue;
            }
            auto* names = table_of(kind, "plugin." + kind.key, fmt::format("[plugin.{}.NAME]", kind.key));
            if (!names)
                continue;
            for (const auto& name : *names) {
                std::string key = fmt::format("plugin.{}.{}", kind.key, name.key);
                if (auto* settings = table_of(name, key, fmt::format("[plugin.{}.NAME]", kind.key)))
                    read_plugin(*settings, kind.key, name);
            }
        }
        std::ranges::sort(config_.plugins.sections, {},
                          [](const PluginSection& s) { return std::tie(s.kind, s.name); });
    }

    void read_section(const RawEntry& entry)
    {
        static constexpr std::array<std::string_view, 12> sections{"cluster", "controller", "tls", "limits", "security", "log",
                                                                   "plugins", "jnoded",     "plugin", "node",     "node_class", "partition"};
        auto is_section = std::ranges::find(sections, entry.key) != sections.end();
        if (!is_section && std::holds_alternative<RawTable>(entry.value.value))
            unknown(entry, "", "section", sections);
        else if (!is_section)
            problem(entry.key_place, entry.key, "unknown key; keys stand below a section such as [controller]");
        else if (entry.key == "node")
            read_list(entry, [&](const RawTable& table, const Place& place) { read_node(table, place); });
        else if (entry.key == "node_class")
            read_list(entry, [&](const RawTable& table, const Place& place) { read_node_class(table, place); });
        else if (entry.key == "partition")
            read_list(entry, [&](const RawTable& table, const Place& place) { read_partition(table, place); });
        else if (auto* table = table_of(entry, entry.key, fmt::format("[{}]", entry.key)); !table)
            return;
        else if (entry.key == "plugin")
            read_plugins(*table);
        else
            read_table(*table, config_fields(), entry.key, entry.key, config_);
    }

    std::vector<std::string> all_node_names() const
    {
        std::vector<std::string> names;
        for (const auto& node : config_.nodes)
            names.push_back(node.name);
        return names;
    }

    // The partitions' host lists, once all nodes are known.
    void resolve_partitions()
    {
        const auto declared = all_node_names();
        const std::vector<std::string_view> known(declared.begin(), declared.end());
        const std::unordered_set<std::string> declared_set(declared.begin(), declared.end());
        for (auto& section : partitions_) {
            auto& partition = section.partition;
            partition.is_default = section.is_default.value_or(partitions_.size() == 1);
            partition.all_nodes = section.nodes == "ALL";
            if (partition.all_nodes)
                partition.nodes = declared;
            else
                select_nodes(section, declared, declared_set, known);
            for (const auto& name : partition.node_classes)
                if (std::ranges::find(config_.node_classes, name, &NodeClass::name) == config_.node_classes.end())
                    problem(partition.place, fmt::format("partition.{}.node_classes", partition.name), "no [[node_class]] is named {}",
                            escape_for_terminal(name));
            config_.partitions.push_back(std::move(partition));
        }
    }

    void select_nodes(PartitionSection& section, const std::vector<std::string>& declared,
                      const std::unordered_set<std::string>& declared_set, std::span<const std::string_view> known)
    {
        std::string key = fmt::format("partition.{}.nodes", section.partition.name);
        auto at = config_.places.find(key);
        const Place& place = at == config_.places.end() ? section.partition.place : at->second;
        auto names = expand_hostlist(section.nodes);
        if (!names)
            return problem(place, key, "{}", escape_for_terminal(names.error().message));
        std::vector<std::string> unknown_names;
        for (const auto& name : *names)
            if (!declared_set.contains(name))
                unknown_names.push_back(name);
        if (!unknown_names.empty())
            problem(place, key, "no [[node]] declares {}{}", compress_hostlist(unknown_names),
                    known.size() <= 1000 ? did_you_mean(unknown_names.front(), known) : "");
        const std::unordered_set<std::string> chosen(names->begin(), names->end());
        for (const auto& name : declared)
            if (chosen.contains(name))
                section.partition.nodes.push_back(name);
    }

public:
    std::expected<Config, Problems> load(const RawTable& table, const std::string& file)
    {
        config_.file = file;
        for (const auto& entry : table)
            read_section(entry);
        resolve_partitions();
        check(config_, problems_);
        if (problems_.empty())
            return std::move(config_);
        std::ranges::stable_sort(problems_, {}, [](const Problem& p) { return std::pair(p.place.line, p.place.column); });
        return std::unexpected(Problems{std::move(problems_)});
    }
};

// A configuration of ten thousand nodes comes to about a megabyte; a device or a wrong file is not read to its end.
constexpr std::size_t largest_file = 16 << 20;

Result<std::string> read_file(const std::string& path)
{
    Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd)
        return std::unexpected(system_error(errno, "cannot open it"));
    std::string text;
    while (text.size() <= largest_file) {
        std::array<char, 65536> buffer;
        auto count = ::read(fd.get(), buffer.data(), buffer.size());
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return std::unexpected(system_error(errno, "cannot read it"));
        if (count == 0)
            return text;
        text.append(buffer.data(), static_cast<std::size_t>(count));
    }
    return fail(Errc::invalid, "is larger than {} MiB", largest_file >> 20);
}

} // namespace

std::expected<Config, Problems> parse_config(std::string_view text, const std::string& file)
{
    auto table = parse_toml(text, file);
    if (!table)
        return std::unexpected(Problems{{std::move(table.error())}});
    return Loader().load(*table, file);
}

std::expected<Config, Problems> load_config(const std::string& path)
{
    auto text = read_file(path);
    if (!text)
        return std::unexpected(
            Problems{{{{path}, text.error().message + "; name the configuration with --config or JARVIS_CONF"}}});
    return parse_config(*text, path);
}

} // namespace jarvis::config
