#include "shepherd.hpp"

#include "job_cgroup.hpp"
#include "job_folder.hpp"
#include "launch_data.hpp"
#include "log.hpp"
#include "processes.hpp"
#include "temporary_folder.hpp"
#include "wire/clocks.hpp"
#include "wire/job_id.hpp"

#include <cerrno>
#include <csignal>
#include <ctime>
#include <optional>
#include <string>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

namespace jarvis::shepherd {
namespace {

std::int64_t microseconds(const timeval& time)
{
    return time.tv_sec * std::int64_t{1'000'000} + time.tv_usec;
}

Owner owner_of(const wire::LaunchOrder& order)
{
    const auto& account = order.account();
    return {account.uid(), account.gid(), {account.groups().begin(), account.groups().end()}};
}

class Shepherd {
    RuntimePlugin& runtime_;
    const wire::LaunchOrder& order_;
    PidFile pid_file_;
    std::optional<JobCgroup> cgroup_;
    bool has_folder_ = false;
    wire::ExitRecord record_;

public:
    Shepherd(RuntimePlugin& runtime, const wire::LaunchOrder& order, PidFile pid_file)
        : runtime_(runtime), order_(order), pid_file_(std::move(pid_file))
    {
        wire::put_job_id(wire::job_id_in(order), record_);
        record_.set_incarnation(order.incarnation());
    }

    wire::ExitRecord run()
    {
        const std::int64_t begin = boottime_us();
        if (auto prepared = prepare(); !prepared)
            fail_launch(false, prepared.error().message);
        else if (order_.member())
            wait_as_member();
        else
            start_and_wait();
        record_.mutable_usage()->set_elapsed_us(boottime_us() - begin);
        end_processes();
        count_usage();
        remove_traces();
        return std::move(record_);
    }

private:
    void fail_launch(bool users_fault, const std::string& message)
    {
        record_.set_launch_error(message);
        record_.set_launch_fault(users_fault ? wire::ExitRecord::USER : wire::ExitRecord::SYSTEM);
    }

    void note(const std::string& text)
    {
        if (!record_.notes().empty())
            record_.mutable_notes()->append("; ");
        record_.mutable_notes()->append(text);
    }

    Result<void> prepare()
    {
        if (!order_.cgroup().empty()) {
            auto cgroup = JobCgroup::make(order_.cgroup());
            if (!cgroup)
                return std::unexpected(cgroup.error());
            cgroup_ = std::move(*cgroup);
        }
        if (!order_.temporary_folder().empty()) {
            if (auto made = make_temporary_folder(order_.temporary_folder(), owner_of(order_)); !made)
                return made;
            has_folder_ = true;
        }
        return order_.member() ? write_prepared(order_.job_folder()) : runtime_.attach();
    }

    // All signals are blocked here, so one that comes early is not lost.
    void wait_as_member()
    {
        sigset_t finish;
        ::sigemptyset(&finish);
        ::sigaddset(&finish, SIGUSR1);
        while (::sigwaitinfo(&finish, nullptr) < 0 && errno == EINTR) {
        }
    }

    void start_and_wait()
    {
        const LaunchData launch(order_, cgroup_ ? cgroup_->leaf_path() : std::string(), cgroup_ ? cgroup_->leaf() : -1);
        if (auto handle = runtime_.start(launch.get()); !handle) {
            fail_launch(handle.error().users_fault, handle.error().message);
        } else {
            pid_file_.add_script(handle->pid);
            if (auto status = runtime_.wait(*handle))
                record_.set_wait_status(*status);
            else
                fail_launch(false, status.error().message);
        }
        runtime_.close();
    }

    // The job is its script: when that has ended, so has everything that it started.
    void end_processes()
    {
        bool killed = cgroup_ && cgroup_->empty();
        killed |= kill_descendants(); // without a cgroup, or out of it
        if (killed)
            note("processes that the job left running were killed");
    }

    // All of the job's processes were reaped by their parents or by us, and so are in here.
    void count_usage()
    {
        rusage children{};
        ::getrusage(RUSAGE_CHILDREN, &children);
        auto& usage = *record_.mutable_usage();
        usage.set_cpu_user_us(microseconds(children.ru_utime));
        usage.set_cpu_system_us(microseconds(children.ru_stime));
        if (const auto peak = cgroup_ ? cgroup_->memory_peak() : std::nullopt)
            usage.set_memory_peak(*peak);
    }

    void remove_traces()
    {
        if (has_folder_)
            if (auto removed = remove_temporary_folder(order_.temporary_folder(), owner_of(order_)); !removed)
                note(removed.error().message);
        if (cgroup_)
            if (auto removed = cgroup_->remove(); !removed)
                note(removed.error().message);
    }
};

} // namespace

ShepherdExit run_job(RuntimePlugin& runtime, const wire::LaunchOrder& order)
{
    // A signal to the launcher's process group must not reach it. (A session of its own costs ten times as much, for its autogroup.)
    ::setpgid(0, 0);
    ::prctl(PR_SET_NAME, fmt::format("job_{}", wire::job_id_in(order)).c_str()); // for ps
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    auto pid_file = PidFile::make(order.job_folder());
    if (!pid_file && pid_file.error().code == Errc::denied)
        return ShepherdExit::started_before;
    if (!pid_file) {
        log_error("job {}: {}", wire::job_id_in(order), pid_file.error().message);
        return ShepherdExit::failed;
    }
    const auto record = Shepherd(runtime, order, std::move(*pid_file)).run();
    if (auto written = write_exit_record(order.job_folder(), record); !written) {
        log_error("job {}: cannot write its exit record: {}", wire::job_id_in(order), written.error().message);
        return ShepherdExit::no_record;
    }
    return ShepherdExit::done;
}

void clean_after_job(const wire::LaunchOrder& order)
{
    ::setpgid(0, 0);
    std::optional<JobCgroup> cgroup;
    if (!order.cgroup().empty()) {
        cgroup = JobCgroup::existing(order.cgroup());
        cgroup->empty();
    }
    if (!order.temporary_folder().empty())
        if (auto removed = remove_temporary_folder(order.temporary_folder(), owner_of(order)); !removed)
            log_warning("job {}: {}", wire::job_id_in(order), removed.error().message);
    if (cgroup)
        if (auto removed = cgroup->remove(); !removed)
            log_warning("job {}: {}", wire::job_id_in(order), removed.error().message);
}

} // namespace jarvis::shepherd
