// What the table of keys says to the outside: documentation, the effective configuration, the difference of two.
#include "config/settings.hpp"

#include "config/fields.hpp"
#include "config/values.hpp"

#include "base/escape.hpp"
#include "base/hostlist.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <set>

namespace jarvis::config {

namespace {

std::string lower(std::string text)
{
    for (char& c : text)
        c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return text;
}

std::string last_word(const std::string& key) { return key.substr(key.rfind('.') + 1); }

std::string limit_key(const ResourceLimit& limit) { return "jnoded.limits." + lower(limit.name); }

std::vector<Setting> all_settings()
{
    std::vector<Setting> all;
    for (const auto& field : config_fields())
        all.push_back(field.setting);
    const NodeDaemon defaults;
    for (auto name : resource_limit_names()) {
        auto given = std::ranges::find(defaults.limits, name, [](const ResourceLimit& l) { return lower(l.name); });
        all.push_back({fmt::format("jnoded.limits.{}", name), std::string(type_name<ResourceLimit>()),
                       given == defaults.limits.end() ? "" : write(*given), "",
                       "A resource limit of jobs, \"soft:hard\" or one value for both; what is not named is as jnoded has it.",
                       Needs::restart_jnoded});
    }
    for (const auto& field : node_fields())
        all.push_back(field.setting);
    for (const auto& field : node_class_fields())
        all.push_back(field.setting);
    for (const auto& field : partition_fields())
        all.push_back(field.setting);
    return all;
}

// A setting of a plugin as it would stand in the file.
std::string raw_text(const RawSetting& setting)
{
    return std::visit([](const auto& value) { return write(value); }, setting.value);
}

PartitionSection section_of(const Partition& partition)
{
    PartitionSection section{partition.all_nodes ? "ALL" : compress_hostlist(partition.nodes), partition.is_default, partition};
    return section;
}

NodeSection section_of(const Node& node) { return {node.name, node}; }

NodeClassSection section_of(const NodeClass& node_class) { return {compress_hostlist(node_class.names), node_class}; }

Needs plugin_needs(const std::string& kind)
{
    return kind == "runtime" ? Needs::restart_jnoded : Needs::restart_jctld;
}

// --- differences ---

struct Value {
    std::string text;
    Needs needs = Needs::reload;
};

// Keys that have one value each, in the order of the file.
struct FlatConfig {
    std::vector<std::string> order;
    std::map<std::string, Value> values;

    void add(std::string key, std::string text, Needs needs)
    {
        if (values.try_emplace(key, Value{std::move(text), needs}).second)
            order.push_back(std::move(key));
    }
};

FlatConfig flatten(const Config& config)
{
    FlatConfig flat;
    for (const auto& field : config_fields())
        flat.add(field.setting.key, field.write(config), field.setting.needs);
    for (const auto& limit : config.jnoded.limits)
        flat.add(limit_key(limit), write(limit), Needs::restart_jnoded);
    for (const auto& section : config.plugins.sections)
        for (const auto& setting : section.settings)
            flat.add(fmt::format("plugin.{}.{}.{}", section.kind, section.name, setting.name), raw_text(setting),
                     plugin_needs(section.kind));
    return flat;
}

// The keys of one node or partition that are not at their defaults: "{ cores = 4 }".
template <class Section>
std::string inline_table(const Section& section, const Fields<Section>& fields)
{
    std::string text;
    for (std::size_t i = 1; i < fields.size(); ++i) // the first is the name
        if (auto value = fields[i].write(section); value != fields[i].setting.default_value)
            text += fmt::format("{}{} = {}", text.empty() ? "" : ", ", last_word(fields[i].setting.key), value);
    return text.empty() ? "{}" : "{ " + text + " }";
}

// What changed between two sections of one name; either may be null.
template <class Section>
std::vector<Change> compare(const Section* before, const Section* after, const Fields<Section>& fields)
{
    std::vector<Change> changes;
    if (!before || !after) {
        changes.push_back({"", before ? inline_table(*before, fields) : "", after ? inline_table(*after, fields) : "",
                           Needs::reload});
        return changes;
    }
    for (std::size_t i = 1; i < fields.size(); ++i) {
        Change change{'.' + last_word(fields[i].setting.key), fields[i].write(*before), fields[i].write(*after),
                      fields[i].setting.needs};
        if (change.old_value != change.new_value)
            changes.push_back(std::move(change));
    }
    return changes;
}

// Names of both lists, in the order of the first, then what only the second has.
template <class T>
std::vector<std::string> names_of_both(const std::vector<T>& a, const std::vector<T>& b)
{
    std::vector<std::string> names;
    std::set<std::string> seen;
    for (const auto* list : {&a, &b})
        for (const auto& item : *list)
            if (seen.insert(item.name).second)
                names.push_back(item.name);
    return names;
}

template <class Section, class T>
std::map<std::string, Section> sections_by_name(const std::vector<T>& items)
{
    std::map<std::string, Section> sections;
    for (const auto& item : items)
        sections.emplace(item.name, section_of(item));
    return sections;
}

template <class Section>
const Section* find(const std::map<std::string, Section>& sections, const std::string& name)
{
    auto at = sections.find(name);
    return at == sections.end() ? nullptr : &at->second;
}

// One change for all nodes that changed alike.
void add_node_changes(const Config& before, const Config& after, std::vector<Change>& changes)
{
    const auto old_nodes = sections_by_name<NodeSection>(before.nodes), new_nodes = sections_by_name<NodeSection>(after.nodes);
    std::vector<std::pair<Change, std::vector<std::string>>> alike;
    for (const auto& name : names_of_both(before.nodes, after.nodes))
        for (auto& change : compare(find(old_nodes, name), find(new_nodes, name), node_fields())) {
            auto same = std::ranges::find(alike, change, [](const auto& group) { return group.first; });
            if (same == alike.end())
                same = alike.insert(alike.end(), {std::move(change), {}});
            same->second.push_back(name);
        }
    for (auto& [change, names] : alike) {
        change.key = "node." + compress_hostlist(names) + change.key;
        changes.push_back(std::move(change));
    }
}

// Of sections that there can be several of, each by its name.
template <class Section, class T>
void add_changes_by_name(std::string_view kind, const std::vector<T>& before, const std::vector<T>& after, const Fields<Section>& fields,
                         std::vector<Change>& changes)
{
    const auto old_ones = sections_by_name<Section>(before);
    const auto new_ones = sections_by_name<Section>(after);
    for (const auto& name : names_of_both(before, after))
        for (auto& change : compare(find(old_ones, name), find(new_ones, name), fields)) {
            change.key = fmt::format("{}.{}{}", kind, name, change.key);
            changes.push_back(std::move(change));
        }
}

// --- text ---

bool declared_alike(const Node& a, const Node& b)
{
    return a.cores == b.cores && a.memory == b.memory && a.vouch == b.vouch && a.features == b.features && a.topology == b.topology &&
           a.reserve == b.reserve && a.devices == b.devices && a.expect == b.expect;
}

// The longest run of nodes from `first` on that one [[node]] can declare without changing their order.
std::size_t run_length(const std::vector<Node>& nodes, std::size_t first)
{
    std::size_t last = first + 1;
    while (last < nodes.size() && declared_alike(nodes[last], nodes[first]))
        ++last;
    return last - first;
}

template <class Section>
void write_section(std::string& text, std::string_view header, const Section& section, const Fields<Section>& fields)
{
    text += fmt::format("\n[[{}]]\n", header);
    for (const auto& field : fields)
        text += fmt::format("{} = {}\n", last_word(field.setting.key), field.write(section));
}

void write_nodes(std::string& text, const std::vector<Node>& nodes)
{
    for (std::size_t i = 0; i < nodes.size();) {
        NodeSection section = section_of(nodes[i]);
        std::vector<std::string> names;
        for (std::size_t end = i + run_length(nodes, i); i < end; ++i)
            names.push_back(nodes[i].name);
        section.names = hostlist_in_order(names);
        write_section(text, "node", section, node_fields());
    }
}

void write_plain_sections(std::string& text, const Config& config)
{
    std::string section;
    for (const auto& field : config_fields()) {
        const auto& key = field.setting.key;
        if (auto own = key.substr(0, key.rfind('.')); own != section) {
            text += fmt::format("{}[{}]\n", section.empty() ? "" : "\n", own);
            section = own;
        }
        text += fmt::format("{} = {}\n", last_word(key), field.write(config));
    }
}

} // namespace

std::string_view text(Needs needs)
{
    constexpr std::array<std::string_view, 6> texts{
        "jadmin reconfigure",          "a restart of jctld",
        "a restart of jnoded",         "a restart of jctld and jnoded",
        "nothing",                     "a new cluster: it is fixed by the first start"};
    return texts.at(static_cast<std::size_t>(needs));
}

std::span<const Setting> settings()
{
    static const auto all = all_settings();
    return all;
}

std::vector<Change> config_diff(const Config& old_config, const Config& new_config)
{
    const auto before = flatten(old_config), after = flatten(new_config);
    std::vector<std::string> keys = before.order;
    std::ranges::copy_if(after.order, std::back_inserter(keys), [&](const auto& key) { return !before.values.contains(key); });
    std::vector<Change> changes;
    for (const auto& key : keys) {
        auto was = before.values.find(key), is = after.values.find(key);
        Change change{key, was == before.values.end() ? "" : was->second.text, is == after.values.end() ? "" : is->second.text,
                      (is == after.values.end() ? was : is)->second.needs};
        if (change.old_value != change.new_value)
            changes.push_back(std::move(change));
    }
    add_node_changes(old_config, new_config, changes);
    add_changes_by_name("node_class", old_config.node_classes, new_config.node_classes, node_class_fields(), changes);
    add_changes_by_name("partition", old_config.partitions, new_config.partitions, partition_fields(), changes);
    return changes;
}

std::string to_string(const Change& change)
{
    auto shown = [](const std::string& value) { return value.empty() ? std::string("(none)") : escape_for_terminal(value); };
    return fmt::format("{}: {} -> {} (needs {})", escape_for_terminal(change.key), shown(change.old_value),
                       shown(change.new_value), text(change.needs));
}

std::string to_text(const Config& config)
{
    std::string text;
    write_plain_sections(text, config);
    text += "\n[jnoded.limits]\n";
    for (const auto& limit : config.jnoded.limits)
        text += fmt::format("{} = {}\n", lower(limit.name), write(limit));
    for (const auto& section : config.plugins.sections) {
        // A plugin's name may need quotes as a TOML key; its settings' names likewise, so all are quoted.
        text += fmt::format("\n[plugin.{}.{}]\n", section.kind, write(section.name));
        for (const auto& setting : section.settings)
            text += fmt::format("{} = {}\n", write(setting.name), raw_text(setting));
    }
    write_nodes(text, config.nodes);
    for (const auto& node_class : config.node_classes)
        write_section(text, "node_class", section_of(node_class), node_class_fields());
    for (const auto& partition : config.partitions)
        write_section(text, "partition", section_of(partition), partition_fields());
    return text;
}

} // namespace jarvis::config
