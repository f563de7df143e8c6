#include "config/check.hpp"

#include "base/escape.hpp"
#include "base/nearest.hpp"
#include "base/units.hpp"

#include <algorithm>
#include <sys/un.h>
#include <unordered_map>

namespace jarvis::config {

namespace {

// The closing NUL belongs to the path (unix(7)).
constexpr std::size_t longest_socket_path = sizeof(sockaddr_un::sun_path) - 1;

class Checker {
    const Config& config_;
    std::vector<Problem>& problems_;

    // Where a value stands; for one that the file does not set, the file as a whole.
    Place place_of(const std::string& key) const
    {
        auto at = config_.places.find(key);
        return at == config_.places.end() ? Place{config_.file} : at->second;
    }

    template <class... Args>
    void problem(const Place& place, std::string_view key, fmt::format_string<Args...> format, Args&&... args)
    {
        problems_.push_back(
            {place, fmt::format("{}: {}", escape_for_terminal(key), fmt::format(format, std::forward<Args>(args)...))});
    }

    void check_socket(const std::string& key, const std::string& path)
    {
        if (path.size() > longest_socket_path)
            problem(place_of(key), key,
                    "the path {} has {} bytes, and a UNIX socket's path at most {}; name a shorter one, such as in a folder "
                    "under /run or in $XDG_RUNTIME_DIR",
                    escape_for_terminal(path), path.size(), longest_socket_path);
    }

    void check_sizes()
    {
        const auto& limits = config_.limits;
        // A submit is one message: the three parts and, with room to spare, all other fields of the request.
        const auto needed = limits.script_size + limits.environment_size + limits.arguments_size + mebibytes(1);
        if (needed > limits.message_size)
            problem(place_of("limits.message_size"), "limits.message_size",
                    "{} is too small: a script of {}, an environment of {} and arguments of {} need {}",
                    format_memory_size_exact(limits.message_size), format_memory_size_exact(limits.script_size),
                    format_memory_size_exact(limits.environment_size), format_memory_size_exact(limits.arguments_size),
                    format_memory_size_exact(needed));
    }

    void check_nodes()
    {
        std::unordered_map<std::string_view, const Node*> seen;
        for (const auto& node : config_.nodes)
            if (auto [first, fresh] = seen.try_emplace(node.name, &node); !fresh)
                problem(node.place, "node.names", "node {} is declared twice, first in line {}", node.name,
                        first->second->place.line);
        const Place* last = nullptr; // nodes of one section have one place
        for (const auto& node : config_.nodes) {
            if (last && last->line == node.place.line && last->column == node.place.column)
                continue;
            last = &node.place;
            if (node.cores > 0 && node.reserve.cores > 0)
                problem(node.place, "node.reserve", "cores: cores = {} says what is given to jobs already; leave one of the two out", node.cores);
            if (node.memory && node.reserve.memory)
                problem(node.place, "node.reserve", "memory: memory = {} says what is given to jobs already; leave one of the two out",
                        format_memory_size_exact(*node.memory));
        }
        const auto& own = config_.jnoded.name;
        if (own.empty() || config_.nodes.empty() || settings_of_node(config_, own))
            return;
        std::vector<std::string_view> known;
        for (std::size_t i = 0; i < std::min<std::size_t>(config_.nodes.size(), 1000); ++i)
            known.push_back(config_.nodes[i].name);
        problem(place_of("jnoded.name"), "jnoded.name", "no [[node]] declares {}{}", own, did_you_mean(own, known));
    }

    void check_partitions()
    {
        std::unordered_map<std::string_view, const Partition*> seen;
        const Partition* first_default = nullptr;
        for (const auto& partition : config_.partitions) {
            std::string key = "partition." + partition.name;
            if (auto [first, fresh] = seen.try_emplace(partition.name, &partition); !fresh && !partition.name.empty())
                problem(partition.place, key, "this partition is declared twice, first in line {}",
                        first->second->place.line);
            if (partition.is_default && first_default)
                problem(place_of(key + ".default"), key + ".default", "{} is the default partition already (line {})",
                        first_default->name, first_default->place.line);
            if (partition.is_default && !first_default)
                first_default = &partition;
            if (partition.max_time && (!partition.default_time || *partition.default_time > *partition.max_time))
                problem(place_of(key + ".default_time"), key + ".default_time", "{} is above max_time, {}",
                        partition.default_time ? format_duration_exact(*partition.default_time) : "unlimited",
                        format_duration_exact(*partition.max_time));
        }
    }

public:
    Checker(const Config& config, std::vector<Problem>& problems) : config_(config), problems_(problems) {}

    void run()
    {
        check_socket("controller.socket", config_.controller.socket);
        check_socket("jnoded.socket", config_.jnoded.socket);
        check_socket("controller.metrics_socket", config_.controller.metrics_socket);
        check_socket("jnoded.metrics_socket", config_.jnoded.metrics_socket);
        if (!config_.jnoded.run_dir.empty() &&
            config_.jnoded.run_dir.size() + std::string_view("/launcher.sock").size() > longest_socket_path)
            check_socket("jnoded.run_dir", config_.jnoded.run_dir + "/launcher.sock");
        check_sizes();
        check_nodes();
        check_partitions();
    }
};

} // namespace

void check(const Config& config, std::vector<Problem>& problems) { Checker(config, problems).run(); }

} // namespace jarvis::config
