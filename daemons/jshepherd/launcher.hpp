// The launcher: hands orders to the templates, knows which shepherds live, and tells the node daemon of their ends. It is the
// parent of every shepherd (templates fork them with CLONE_PARENT) and the subreaper above them. It never touches a path of
// a user, so it never hangs on one.
#pragma once

#include "node_connection.hpp"
#include "template_link.hpp"

#include <chrono>
#include <optional>
#include <list>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

namespace jarvis::shepherd {

struct LauncherOptions {
    std::string socket;
    std::string plugins; // folder
    std::vector<std::string> runtimes;
    std::map<std::string, RuntimeSettings> settings; // by runtime
    std::string log_file;
    bool log_json = false;
};

wire::FromLauncher launched(const JobKey& key, pid_t pid);

class Launcher {
    using Clock = std::chrono::steady_clock;

    struct Shepherd {
        enum class Phase { ordered, running, dead, cleaned };
        Phase phase = Phase::ordered;
        pid_t pid = 0;
        pid_t cleaner = 0;
        int wait_status = 0;
        std::string runtime;
        std::string cgroup;
        std::string cleaning; // the order, as far as it takes to clean up behind a dead shepherd
    };
    // An order that a template was at when it died: whether the shepherd was made must be found out first.
    struct Uncertain {
        JobKey key;
        std::string job_folder;
        Clock::time_point until;
    };
    struct Runtime {
        TemplateLink link;
        std::optional<Uncertain> uncertain;
    };

    LauncherOptions options_;
    NodeConnection node_;
    std::list<Runtime> runtimes_;
    std::map<JobKey, Shepherd> shepherds_;
    std::unordered_map<pid_t, JobKey> by_pid_;         // shepherds and cleaners
    std::unordered_map<pid_t, int> strays_;            // ended before their template's answer was read
    std::vector<wire::FromLauncher> untold_;           // ends that nobody was there to hear
    bool leftovers_ = false;                           // a shepherd has died: its job's processes are our children now
    bool stopping_ = false;
    Clock::time_point stop_by_{};
    Fd signals_;

    Result<void> start_templates();
    void open_signals();

    void on_connected();
    void on_message(wire::ToLauncher message, std::string bytes);
    void launch(const wire::LaunchOrder& order, std::string bytes);
    void list_shepherds();
    void clean(const wire::LaunchOrder& order);

    void serve_templates(const std::vector<pollfd>& waits);
    void on_answer(Runtime& runtime, const Answer& answer);
    void on_forked(const JobKey& key, pid_t pid);
    void on_template_lost(Runtime& runtime);
    void refuse_all(Runtime& runtime);
    void settle_uncertain(Runtime& runtime);
    void adopt(Runtime& runtime, pid_t pid);
    void restart(Runtime& runtime);

    void on_signals();
    void reap();
    void on_ended(pid_t pid, int status);
    void on_shepherd_ended(const JobKey& key, Shepherd& shepherd, int status);
    void clean_after(const JobKey& key, Shepherd& shepherd);
    void report_gone(const JobKey& key, int status);
    void report_cleaned();
    void reply_error(const JobKey& key, const std::string& message);
    void tell(const wire::FromLauncher& message) { node_.send(message); }

    std::vector<pid_t> unknown_children(bool with_our_program) const;
    void kill_leftovers();
    bool answers_due() const;
    bool needs_tick() const;
    void tick();
    void stop();
    bool may_stop() const;
    Runtime* find_runtime(const std::string& name);

public:
    explicit Launcher(LauncherOptions options) : options_(std::move(options)) {}

    // Loads the runtimes, then listens: whoever can connect can launch.
    Result<void> start();
    // Serves until SIGTERM or SIGINT.
    void run();
};

} // namespace jarvis::shepherd
