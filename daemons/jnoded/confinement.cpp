// The part of NodeDaemon that deals with our cgroup tree: where it is, what it can do, and when it goes.
#include "node_daemon.hpp"

#include "capability_trials.hpp"
#include "daemon/log.hpp"
#include "processes.hpp"
#include "shm/private_shm.hpp"
#include "shm_choice.hpp"

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include <poll.h>
#include <unistd.h>

namespace jarvis::noded {
namespace {

using daemon::log;

constexpr int launcher_end_ms = 2000;

std::string read_proc(const std::string& path)
{
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    return std::move(text).str();
}

std::string tree_name(const std::string& cluster, const std::string& node)
{
    std::string uuid;
    for (unsigned char byte : cluster.substr(0, 4))
        uuid += fmt::format("{:02x}", byte);
    return fmt::format("jarvis_{}_{}", uuid, node);
}

// A service manager that started us looks for us where it put us.
bool have_service_manager() { return std::getenv("INVOCATION_ID") != nullptr || std::getenv("NOTIFY_SOCKET") != nullptr; }

// The folder of a tree of that name which has the groups of jobs; empty: no such job, or its group is no more.
std::string parent_of_jobs(const std::vector<RunFolder::Record>& jobs, const std::string& tree)
{
    for (const auto& job : jobs) {
        const auto& group = job.order.cgroup();
        if (const auto end = group.find("/" + tree + "/jobs/"); end != std::string::npos && ::access(group.c_str(), F_OK) == 0)
            return group.substr(0, end);
    }
    return {};
}

} // namespace

// Where the configuration says; else below the service that keeps the launcher (systemd has delegated that cgroup to it);
// else where jobs are already, whose launcher may have ended and whose service cannot be started beside them; else, as
// root, at the top.
Result<std::string> NodeDaemon::tree_parent(const std::string& tree)
{
    const auto& setting = setup_.config.jnoded.cgroup;
    if (setting == "none")
        return fail(Errc::unavailable, "switched off (jnoded.cgroup = \"none\")");
    if (setting != "auto")
        return setting;
    const auto mount = find_cgroup2_mount(read_proc("/proc/self/mountinfo"));
    if (!mount)
        return fail(Errc::unavailable, "no writable cgroup2 file system is mounted: mount one (mount -t cgroup2 none /sys/fs/cgroup), or "
                                       "remount the one that is there read-write");
    if (const auto launcher = Launcher::running(setup_.folder.launcher_socket()); launcher > 0) {
        auto group = cgroup2_of(read_proc(fmt::format("/proc/{}/cgroup", launcher))).value_or("");
        // "/system.slice/jarvis-launch.service", or our tree below it from an earlier start
        if (const auto end = group.find(".service"); end != std::string::npos) {
            tree_in_service_ = true;
            return *mount + group.substr(0, end + std::string_view(".service").size());
        }
    }
    if (auto parent = parent_of_jobs(setup_.folder.read_jobs(), tree); !parent.empty()) {
        tree_in_service_ = parent.ends_with(".service");
        return parent;
    }
    if (::geteuid() != 0)
        return fail(Errc::unavailable, "an ordinary user's daemon without a delegated cgroup (jnoded.cgroup names one)");
    return *mount;
}

Result<CgroupTree> NodeDaemon::open_tree(const std::string& cluster)
{
    const auto tree_of_node = tree_name(cluster, setup_.node_name);
    auto parent = tree_parent(tree_of_node);
    if (!parent)
        return std::unexpected(parent.error());
    auto tree = CgroupTree::open(*parent, tree_of_node);
    if (tree && !tree->capabilities().set.includes(required_capabilities(Confinement::track)))
        return fail(Errc::unavailable, "{}: this kernel cannot freeze and kill by cgroup (it needs Linux 5.14)", tree->path());
    return tree;
}

void NodeDaemon::prepare_tree(const std::string& cluster)
{
    const auto old_tree = std::exchange(tree_, nullptr);
    tree_cluster_ = cluster;
    tree_in_service_ = false;
    launch_settings_.jobs_cgroup.clear();
    launch_settings_.confinement.capabilities = {};
    registration_.capabilities = {};
    auto& notes = registration_.notes;
    std::erase_if(notes, [](const std::string& note) { return note.starts_with("confinement"); });
    auto tree = open_tree(cluster);
    if (tree) {
        tree_ = std::make_shared<CgroupTree>(std::move(*tree));
        launch_settings_.jobs_cgroup = tree_->jobs_path();
        enter_tree();
        confine_jobs();
    } else {
        notes.push_back(fmt::format("confinement none: {}", tree.error().message));
        log().warn("no cgroups, so jobs are followed as process trees only: {}", tree.error().message);
        if (const auto problem = choose_private_shm(); !problem.empty())
            add_problem(Confinement::none, problem);
    }
    if (old_tree)
        if (auto removed = old_tree->remove(); !removed)
            log().warn("{}", removed.error().message);
}

// A service manager removes the empty groups of a unit that has stopped, such as the launcher's on an idle node: all of our tree. In a
// service it is made again when its launcher is there, or when there will be none but ours; without one no job starts anyway.
void NodeDaemon::keep_tree(bool launcher)
{
    if (!tree_ || tree_->is_there() || (tree_in_service_ && !launcher))
        return;
    log().warn("{} or a part of it was removed: it is made again", tree_->path());
    tree_.reset(); // what has its name now is not for it to remove
    const auto before = registration_.capabilities;
    prepare_tree(tree_cluster_);
    if (registration_.capabilities != before)
        controller_.dial_again("what confines the jobs of this node has changed");
}

// What the kernel gives us of controllers, and what the node says of itself by that.
void NodeDaemon::confine_jobs()
{
    const auto mounts = read_proc("/proc/self/mountinfo");
    const bool version1 = has_version1_mounts(mounts);
    // The top belongs to the service manager where there is one, and beside version 1 to whoever set the machine up.
    const bool at_top = tree_->path().substr(0, tree_->path().rfind('/')) == find_cgroup2_mount(mounts);
    auto problems = tree_->enable_controllers(!at_top || (!version1 && !have_service_manager()), version1);
    auto [capabilities, failures] = tree_->capabilities();
    problems.insert(problems.end(), failures.begin(), failures.end());
    const auto more = tree_->limit_jobs(node::share_of_all_jobs(setup_.topology, setup_.bound, capabilities));
    problems.insert(problems.end(), more.begin(), more.end());
    try_further(tree_->jobs_path(), capabilities, problems);
    registration_.capabilities = capabilities;
    launch_settings_.confinement.capabilities = capabilities;
    if (auto problem = choose_private_shm(); !problem.empty())
        problems.push_back(std::move(problem));
    const auto level = confinement_of(registration_.capabilities);
    for (const auto& problem : problems)
        add_problem(level, problem);
    log().info("confinement {} ({}), below {}", name(level), format_capabilities(registration_.capabilities), tree_->path());
}

void NodeDaemon::add_problem(Confinement level, const std::string& problem)
{
    registration_.notes.push_back(fmt::format("confinement {}: {}", name(level), problem));
    log().warn("confinement {}: {}", name(level), problem);
}

// The answer says why jobs have no /dev/shm of their own although they should. Where that was asked for ("on") the node then does not say
// that it confines their memory, which it would for all but this, so that partitions that require it do not use the node.
std::string NodeDaemon::choose_private_shm()
{
    const auto& setting = setup_.config.jnoded.private_shm;
    auto& capabilities = registration_.capabilities;
    auto choice = choose_shm(setting, confinement_of(capabilities),
                             {setup_.folder.path(), launch_settings_.temporary_root, setup_.config.file}, shm::try_private);
    launch_settings_.private_shm = choice.given;
    if (!choice.problem.empty() && setting == "on")
        capabilities = Capabilities(capabilities.bits() & ~static_cast<std::uint32_t>(Capability::memory));
    return std::move(choice.problem);
}

void NodeDaemon::enter_tree()
{
    if (tree_in_service_)
        if (auto moved = tree_->adopt_processes_of_parent(); !moved)
            log().warn("{}", moved.error().message);
    if (tree_in_service_ || have_service_manager())
        return;
    if (auto entered = tree_->enter_daemon_leaf(); !entered)
        log().warn("{}", entered.error().message);
    if (launcher_.pid() > 0)
        if (auto moved = tree_->add_shepherd(launcher_.pid()); !moved)
            log().warn("{}", moved.error().message);
}

// The first controller that this node meets, or one of another cluster while no job is here.
void NodeDaemon::serve_cluster(const std::string& cluster)
{
    prepare_tree(cluster);
    if (auto written = setup_.folder.write_cluster(cluster); !written)
        log().error("{}: {}", setup_.folder.path(), written.error().message);
    run_launcher();
}

// With no job here nothing of ours needs to stay; what a service manager keeps is its own.
void NodeDaemon::end_launcher_and_tree()
{
    if (tree_in_service_)
        return;
    if (const auto launcher = launcher_.pid(); launcher > 0)
        if (const auto process = open_process(launcher); send_signal(process, SIGTERM)) {
            pollfd end{.fd = process.get(), .events = POLLIN, .revents = 0};
            (void)::poll(&end, 1, launcher_end_ms);
        }
    if (tree_)
        if (auto removed = tree_->remove(); !removed)
            log().info("{}", removed.error().message);
}

} // namespace jarvis::noded
