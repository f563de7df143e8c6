#include "run_folder.hpp"

#include "base/directory.hpp"
#include "daemon/folders.hpp"
#include "daemon/log.hpp"
#include "messages.hpp"
#include "node/launch_plan.hpp"
#include "processes.hpp"

#include <cerrno>
#include <charconv>
#include <filesystem>
#include <memory>

#include <fcntl.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace jarvis::noded {
namespace {

using daemon::log;

// Others may pass through to a job's script, whose name only its owner can use; nobody else can list anything.
constexpr mode_t passage = 0711;

Result<void> write_all(const Fd& file, std::string_view bytes)
{
    while (!bytes.empty()) {
        const auto written = ::write(file.get(), bytes.data(), bytes.size());
        if (written < 0 && errno != EINTR)
            return std::unexpected(system_error(errno, "cannot write"));
        bytes.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(written, 0)));
    }
    return {};
}

Result<Fd> create(const Fd& folder, const std::string& name, mode_t mode)
{
    Fd file(::openat(folder.get(), name.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode));
    if (!file)
        return std::unexpected(system_error(errno, fmt::format("cannot create {}", name)));
    return file;
}

// Whole or not at all: under another name first.
Result<void> write_file(const Fd& folder, const std::string& name, std::string_view bytes)
{
    const auto temporary = name + ".tmp";
    auto file = create(folder, temporary, 0600);
    if (!file)
        return std::unexpected(file.error());
    if (auto written = write_all(*file, bytes); !written)
        return fail(written.error(), "{}", name);
    if (::renameat(folder.get(), temporary.c_str(), folder.get(), name.c_str()) != 0)
        return std::unexpected(system_error(errno, fmt::format("cannot rename {}", temporary)));
    return {};
}

// Nothing: there is no such file.
Result<std::optional<std::string>> read_file(const Fd& folder, const std::string& name)
{
    const Fd file(::openat(folder.get(), name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!file && errno == ENOENT)
        return std::nullopt;
    if (!file)
        return std::unexpected(system_error(errno, fmt::format("cannot open {}", name)));
    std::string bytes;
    struct stat status;
    if (::fstat(file.get(), &status) == 0)
        bytes.reserve(static_cast<std::size_t>(status.st_size));
    char part[16384];
    ssize_t size;
    while ((size = ::read(file.get(), part, sizeof part)) > 0)
        bytes.append(part, static_cast<std::size_t>(size));
    if (size < 0)
        return std::unexpected(system_error(errno, fmt::format("cannot read {}", name)));
    return bytes;
}

template <class Message>
Result<std::optional<Message>> read_message(const Fd& folder, const std::string& name)
{
    auto bytes = read_file(folder, name);
    if (!bytes)
        return std::unexpected(bytes.error());
    if (!*bytes)
        return std::nullopt;
    Message message;
    if (!message.ParseFromString(**bytes))
        return fail(Errc::corrupt, "{}: is damaged, or of another version", name);
    return message;
}

// Some /run and /dev/shm are mounted noexec, and a security module may forbid what the mount allows: so it is tried.
Result<void> check_exec(const std::string& folder)
{
    const auto path = folder + "/exec-check";
    const Fd place(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    {
        auto file = create(place, "exec-check", 0700);
        if (!file)
            return fail(file.error(), "{}", folder);
        if (auto written = write_all(*file, "#!/bin/sh\nexit 0\n"); !written)
            return fail(written.error(), "{}", path);
    }
    char* const arguments[] = {const_cast<char*>(path.c_str()), nullptr};
    char* const environment[] = {nullptr};
    pid_t child = 0;
    const int error = ::posix_spawn(&child, path.c_str(), nullptr, nullptr, arguments, environment);
    int status = 0;
    if (error == 0)
        while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
        }
    ::unlink(path.c_str());
    if (error != 0)
        return fail(system_error(error, "cannot execute a script"), "{}", folder);
    if (status != 0)
        return fail(Errc::unavailable, "{}: a script executed there as a test failed (wait status {})", folder, status);
    return {};
}

Result<void> prepare(const std::string& path)
{
    auto folder = daemon::open_private_folder(path, passage);
    if (!folder)
        return std::unexpected(folder.error());
    if (::fchmod(folder->get(), passage) != 0) // a service manager may have made it for us alone
        return std::unexpected(system_error(errno, fmt::format("cannot set the mode of {}", path)));
    return check_exec(path);
}

struct Choice {
    std::string path;
    bool on_disk = false;
};

Result<Choice> choose(const config::Config& config, const std::string& node_name)
{
    if (const auto& given = config.jnoded.run_dir; !given.empty()) {
        if (auto prepared = prepare(given); !prepared)
            return fail(prepared.error(), "run-time folder (jnoded.run_dir)");
        return Choice{given, !daemon::on_tmpfs(given)};
    }
    const auto name = fmt::format("jarvis_{}_{}", config.cluster.name, node_name);
    const char* runtime = ::getenv("XDG_RUNTIME_DIR");
    std::string reasons;
    for (const std::string base : {runtime ? runtime : "", "/run", "/dev/shm"}) {
        if (base.empty() || !daemon::on_tmpfs(base) || ::access(base.c_str(), W_OK | X_OK) != 0)
            continue;
        const auto path = fmt::format("{}/{}", base, name);
        if (auto prepared = prepare(path))
            return Choice{path, false};
        else
            log().warn("run-time folder: {}; trying the next place", prepared.error().message);
        ::rmdir(path.c_str());
    }
    const auto path = fmt::format("{}/run_{}", config.jnoded.state_dir, name);
    if (auto prepared = prepare(path); !prepared)
        return fail(prepared.error(), "no tmpfs for the run-time folder, and not on disk either (set jnoded.run_dir to a "
                                      "folder where scripts can be executed)");
    return Choice{path, true};
}

std::optional<node::JobKey> key_of_folder(std::string_view name)
{
    const auto dot = name.find('.');
    const auto job = job_id_from_text(name.substr(0, dot));
    Incarnation incarnation;
    const auto* end = name.data() + name.size();
    if (!job || dot == name.npos || std::from_chars(name.data() + dot + 1, end, incarnation.value).ptr != end ||
        incarnation.value == 0)
        return std::nullopt;
    return node::JobKey{*job, incarnation};
}

} // namespace

Result<RunFolder> RunFolder::open(const config::Config& config, const std::string& node_name)
{
    auto choice = choose(config, node_name);
    if (!choice)
        return std::unexpected(choice.error());
    RunFolder folder;
    folder.path_ = choice->path;
    folder.on_disk_ = choice->on_disk;
    auto root = daemon::open_private_folder(folder.path_, passage);
    if (!root)
        return std::unexpected(root.error());
    folder.root_ = std::move(*root);
    auto jobs = daemon::open_private_folder(folder.jobs_path(), passage);
    if (!jobs)
        return std::unexpected(jobs.error());
    folder.jobs_ = std::move(*jobs);
    auto lock = create(folder.root_, "lock", 0600);
    if (!lock)
        return fail(lock.error(), "{}", folder.path_);
    if (::flock(lock->get(), LOCK_EX | LOCK_NB) != 0)
        return fail(Errc::unavailable, "{}: another jnoded of node {} runs already", folder.path_, node_name);
    folder.lock_ = std::move(*lock);
    return folder;
}

std::string RunFolder::read_cluster() const
{
    auto uuid = read_file(root_, "cluster");
    return uuid && *uuid && (**uuid).size() == 16 ? **uuid : "";
}

Result<void> RunFolder::write_cluster(const std::string& uuid) const { return write_file(root_, "cluster", uuid); }

std::vector<RunFolder::Record> RunFolder::read_jobs() const
{
    std::vector<Record> records;
    const Directory directory(
        ::fdopendir(::openat(jobs_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)));
    while (const auto* entry = directory ? ::readdir(directory.get()) : nullptr) {
        const std::string name(entry->d_name);
        const auto key = key_of_folder(name);
        const Fd folder(key ? ::openat(jobs_.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW) : -1);
        if (!folder)
            continue;
        auto order = read_message<wire::LaunchOrder>(folder, "order");
        if (order && !*order) {
            remove(*key);
            continue;
        }
        auto stop = read_message<wire::StopRecord>(folder, "stop");
        auto suspension = read_message<wire::SuspensionRecord>(folder, "suspension");
        auto exit = read_message<wire::ExitRecord>(folder, "exit");
        if (!order || !stop || !suspension || !exit) {
            const auto& error = !order ? order.error() : !stop ? stop.error() : !suspension ? suspension.error() : exit.error();
            log().error({{"job", key->job}}, "cannot take up what is in {}/{}: {}", jobs_path(), name, error.message);
            continue;
        }
        records.push_back({*key, std::move(**order), std::move(*stop), std::move(*suspension), std::move(*exit)});
    }
    return records;
}

Result<void> RunFolder::write_order(const node::JobKey& key, const wire::LaunchOrder& order, const std::string& script) const
{
    const auto name = node::folder_name(key);
    if (::mkdirat(jobs_.get(), name.c_str(), passage) != 0) {
        if (errno != EEXIST)
            return std::unexpected(system_error(errno, fmt::format("cannot make {}/{}", jobs_path(), name)));
        remove(key); // left by a removal that failed: the core does not know this job
        if (::mkdirat(jobs_.get(), name.c_str(), passage) != 0)
            return std::unexpected(system_error(errno, fmt::format("cannot make {}/{}", jobs_path(), name)));
    }
    const Fd folder(::openat(jobs_.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
    if (!folder)
        return std::unexpected(system_error(errno, fmt::format("cannot open {}/{}", jobs_path(), name)));
    auto file = create(folder, "script", 0500);
    if (!file)
        return fail(file.error(), "{}/{}", jobs_path(), name);
    if (auto written = write_all(*file, script); !written)
        return fail(written.error(), "{}/{}/script", jobs_path(), name);
    const auto& account = order.account();
    if (account.uid() != ::geteuid() && ::fchown(file->get(), account.uid(), account.gid()) != 0)
        return std::unexpected(system_error(errno, fmt::format("cannot give {}/{}/script to uid {}", jobs_path(), name,
                                                               account.uid())));
    *file = Fd(); // a file that is open for writing cannot be executed
    if (auto written = write_file(folder, "order", order.SerializeAsString()); !written)
        return fail(written.error(), "{}/{}", jobs_path(), name);
    return {};
}

Result<void> RunFolder::write_record(const node::JobKey& key, const char* file, const std::string& record) const
{
    const auto name = node::folder_name(key);
    const Fd folder(::openat(jobs_.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
    if (!folder)
        return std::unexpected(system_error(errno, fmt::format("cannot open {}/{}", jobs_path(), name)));
    return write_file(folder, file, record);
}

Result<void> RunFolder::write_stop(const node::JobKey& key, const wire::StopRecord& stop) const
{
    return write_record(key, "stop", stop.SerializeAsString());
}

Result<void> RunFolder::write_suspension(const node::JobKey& key, const wire::SuspensionRecord& suspension) const
{
    return write_record(key, "suspension", suspension.SerializeAsString());
}

Result<std::optional<wire::LaunchOrder>> RunFolder::read_order(const node::JobKey& key) const
{
    return read_message<wire::LaunchOrder>(jobs_, node::folder_name(key) + "/order");
}

bool RunFolder::has_exit(const node::JobKey& key) const
{
    return ::faccessat(jobs_.get(), (node::folder_name(key) + "/exit").c_str(), F_OK, 0) == 0;
}

Result<std::optional<wire::ExitRecord>> RunFolder::read_exit(const node::JobKey& key) const
{
    return read_message<wire::ExitRecord>(jobs_, node::folder_name(key) + "/exit");
}

std::optional<RunFolder::Shepherd> RunFolder::living_shepherd(const node::JobKey& key) const
{
    const auto text = read_file(jobs_, node::folder_name(key) + "/shepherd.pid");
    if (!text || !*text)
        return std::nullopt;
    // "PID STARTTIME\n", and "SCRIPT\n" once the script runs
    const auto* at = (**text).data();
    const auto* end = at + (**text).size();
    const auto next_number = [&](auto& number) {
        while (at != end && (*at == ' ' || *at == '\n'))
            ++at;
        at = std::from_chars(at, end, number).ptr;
    };
    Shepherd shepherd;
    std::uint64_t start_time = 0;
    next_number(shepherd.pid);
    next_number(start_time);
    next_number(shepherd.script);
    const auto process = shepherd.pid > 1 ? read_process(shepherd.pid) : std::nullopt;
    if (!process || process->state == 'Z' || process->start_time != start_time)
        return std::nullopt;
    return shepherd;
}

bool RunFolder::was_taken(const node::JobKey& key) const
{
    return ::faccessat(jobs_.get(), (node::folder_name(key) + "/shepherd.pid").c_str(), F_OK, 0) == 0;
}

bool RunFolder::is_prepared(const node::JobKey& key) const
{
    return ::faccessat(jobs_.get(), (node::folder_name(key) + "/prepared").c_str(), F_OK, 0) == 0;
}

std::optional<std::uint32_t> RunFolder::device_program(const node::JobKey& key) const
{
    const Fd file(::openat(jobs_.get(), (node::folder_name(key) + "/devices").c_str(), O_RDONLY | O_CLOEXEC));
    char text[16];
    const auto size = file ? ::read(file.get(), text, sizeof text) : -1;
    std::uint32_t id = 0;
    if (size <= 0 || std::from_chars(text, text + size, id).ec != std::errc{})
        return std::nullopt;
    return id;
}

void RunFolder::remove(const node::JobKey& key) const
{
    const auto name = node::folder_name(key);
    // The order first: a folder without it is one that a crash left behind, and nothing is read from it any more.
    for (const auto* file : {"/order", "/exit", "/script", "/devices", "/shepherd.pid", "/steps"})
        ::unlinkat(jobs_.get(), (name + file).c_str(), 0);
    if (::unlinkat(jobs_.get(), name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT)
        return;
    std::error_code error; // rarer files: a stop, a runtime's own
    std::filesystem::remove_all(fmt::format("{}/{}", jobs_path(), name), error);
    if (error)
        log().warn({{"job", key.job}}, "cannot remove {}/{}: {}", jobs_path(), name, error.message());
}

std::vector<LeftFolder> left_temporary_folders(const std::string& root, const std::string& prefix)
{
    std::vector<LeftFolder> found;
    const Directory directory(::opendir(root.c_str()));
    while (const auto* entry = directory ? ::readdir(directory.get()) : nullptr) {
        const std::string_view name(entry->d_name);
        const auto key = name.starts_with(prefix) ? key_of_folder(name.substr(prefix.size())) : std::nullopt;
        struct stat status {};
        if (key && ::fstatat(::dirfd(directory.get()), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISDIR(status.st_mode))
            found.push_back({*key, fmt::format("{}/{}", root, name), status.st_uid, status.st_gid});
    }
    return found;
}

} // namespace jarvis::noded
