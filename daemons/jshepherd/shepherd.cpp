#include "shepherd.hpp"

#include "cgroup_limits.hpp"
#include "job_cgroup.hpp"
#include "job_folder.hpp"
#include "job_usage.hpp"
#include "launch_data.hpp"
#include "log.hpp"
#include "out_of_memory.hpp"
#include "processes.hpp"
#include "shm/private_shm.hpp"
#include "temporary_folder.hpp"
#include "wire/clocks.hpp"
#include "wire/job_id.hpp"

#include <cerrno>
#include <csignal>
#include <ctime>
#include <optional>
#include <string>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace jarvis::shepherd {
namespace {

Owner owner_of(const wire::LaunchOrder& order)
{
    const auto& account = order.account();
    return {account.uid(), account.gid(), {account.groups().begin(), account.groups().end()}};
}

class Shepherd {
    RuntimePlugin& runtime_;
    const wire::LaunchOrder& order_;
    const DeviceProgram& devices_;
    PidFile pid_file_;
    std::optional<JobCgroup> cgroup_;
    bool has_folder_ = false;
    bool attached_ = false; // of a member: the runtime
    bool has_shm_ = false;
    wire::ExitRecord record_;

public:
    Shepherd(RuntimePlugin& runtime, const wire::LaunchOrder& order, const DeviceProgram& devices, PidFile pid_file)
        : runtime_(runtime), order_(order), devices_(devices), pid_file_(std::move(pid_file))
    {
        wire::put_job_id(wire::job_id_in(order), record_);
        record_.set_incarnation(order.incarnation());
    }

    wire::ExitRecord run()
    {
        const std::int64_t begin = boottime_us();
        if (auto prepared = prepare(); !prepared)
            fail_launch(wire::ExitRecord::SYSTEM, prepared.error().message);
        else if (auto confined = confine(); !confined)
            fail_launch(wire::ExitRecord::NODE, confined.error().message);
        else if (order_.member())
            run_as_member();
        else
            start_and_wait();
        record_.mutable_usage()->set_elapsed_us(boottime_us() - begin);
        end_processes();
        count_usage();
        look_for_oom();
        remove_traces();
        return std::move(record_);
    }

private:
    void fail_launch(wire::ExitRecord::LaunchFault fault, const std::string& message)
    {
        record_.set_launch_error(message);
        record_.set_launch_fault(fault);
    }

    static wire::ExitRecord::LaunchFault fault_of(std::uint32_t runtimes)
    {
        switch (runtimes) {
        case JARVIS_FAULT_USER: return wire::ExitRecord::USER;
        case JARVIS_FAULT_NODE: return wire::ExitRecord::NODE;
        default: return wire::ExitRecord::SYSTEM;
        }
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
        return {};
    }

    // Before any process of the job is there. What fails here is the node's fault: jobs run elsewhere then.
    Result<void> confine()
    {
        if (auto given = give_shm(); !given)
            return given;
        if (!cgroup_)
            return {};
        if (auto limited = set_limits(cgroup_->path(), order_); !limited)
            return limited;
        return confine_devices();
    }

    // For this process too: all of the job on this node descends from it, and what is in there goes with it at the latest.
    Result<void> give_shm()
    {
        if (!order_.has_shm_size())
            return {};
        if (auto made = shm::make_private(order_.shm_size()); !made)
            return fail(made.error(), "no /dev/shm of its own");
        has_shm_ = true;
        return {};
    }

    Result<void> confine_devices()
    {
        if (!devices_)
            return std::unexpected(devices_.error());
        if (*devices_ == nullptr)
            return {};
        if (auto attached = (*devices_)->attach(cgroup_->path()); !attached)
            return attached;
        return write_device_program(order_.job_folder(), (*devices_)->id());
    }

    // Until SIGUSR1; with SIGUSR2 a step comes here, and its tasks are started by an agent. All signals are blocked here, so one that
    // comes early is not lost.
    void run_as_member()
    {
        if (auto written = write_prepared(order_.job_folder()); !written)
            return fail_launch(wire::ExitRecord::SYSTEM, written.error().message);
        sigset_t wanted;
        ::sigemptyset(&wanted);
        for (const int signal : {SIGUSR1, SIGUSR2, SIGCHLD})
            ::sigaddset(&wanted, signal);
        std::optional<jarvis_handle> agent;
        while (true) {
            const int signal = ::sigwaitinfo(&wanted, nullptr);
            if (signal == SIGUSR1)
                break;
            reap(agent);
            if (signal == SIGUSR2 && !agent)
                agent = start_agent();
        }
        if (attached_)
            runtime_.close();
    }

    // Whatever the agent left behind is ours, too.
    void reap(std::optional<jarvis_handle>& agent)
    {
        while (true) {
            siginfo_t ended{};
            if (::waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) != 0 || ended.si_pid == 0)
                return;
            if (agent && ended.si_pid == agent->pid) {
                (void)runtime_.wait(*agent);
                agent.reset();
            } else {
                ::waitpid(ended.si_pid, nullptr, 0);
            }
        }
    }

    // As the job's owner and inside the job, like a script.
    std::optional<jarvis_handle> start_agent()
    {
        if (order_.agent().empty())
            return std::nullopt;
        if (!attached_)
            if (auto attached = runtime_.attach(); !attached) {
                log_error("job {}: no agent: {}", wire::job_id_in(order_), attached.error().message);
                return std::nullopt;
            }
        attached_ = true;
        wire::LaunchOrder order = order_;
        order.set_script_path(order.agent());
        order.clear_arguments();
        order.set_working_directory("/");
        order.set_output_path("/dev/null");
        order.clear_error_path();
        order.clear_input_path();
        const LaunchData launch(order, cgroup_ ? cgroup_->leaf_path() : std::string(), cgroup_ ? cgroup_->leaf() : -1);
        auto handle = runtime_.start(launch.get());
        if (!handle) {
            log_error("job {}: cannot start {}: {}", wire::job_id_in(order_), order.agent(), handle.error().message);
            return std::nullopt;
        }
        return *handle;
    }

    void start_and_wait()
    {
        if (auto attached = runtime_.attach(); !attached)
            return fail_launch(wire::ExitRecord::SYSTEM, attached.error().message);
        const LaunchData launch(order_, cgroup_ ? cgroup_->leaf_path() : std::string(), cgroup_ ? cgroup_->leaf() : -1);
        if (auto handle = runtime_.start(launch.get()); !handle) {
            fail_launch(fault_of(handle.error().fault), handle.error().message);
        } else {
            pid_file_.add_script(handle->pid);
            if (auto status = runtime_.wait(*handle))
                record_.set_wait_status(*status);
            else
                fail_launch(wire::ExitRecord::SYSTEM, status.error().message);
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

    void count_usage()
    {
        add_usage(cgroup_ ? cgroup_->path() : std::string(), *record_.mutable_usage());
    }

    // The group lives until remove_traces(), and with it what the kernel counted of it.
    void look_for_oom()
    {
        const auto oom = cgroup_ ? find_oom(order_) : std::nullopt;
        if (!oom)
            return;
        if (order_.continue_after_oom())
            note(*oom);
        else
            record_.set_out_of_memory(*oom);
        if (auto told = append_to_error_file(order_, owner_of(order_), *oom); !told)
            note(told.error().message);
    }

    void remove_traces()
    {
        if (has_shm_)
            shm::remove_segments();
        if (has_folder_)
            if (auto removed = remove_temporary_folder(order_.temporary_folder(), owner_of(order_)); !removed)
                note(removed.error().message);
        if (cgroup_)
            if (auto removed = cgroup_->remove(); !removed)
                note(removed.error().message);
    }
};

} // namespace

ShepherdExit run_job(RuntimePlugin& runtime, const wire::LaunchOrder& order, const DeviceProgram& devices)
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
    const auto record = Shepherd(runtime, order, devices, std::move(*pid_file)).run();
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
