// What jarvis/runtime.h promises, tried with small scripts in the scratch folder: as the present user, without a cgroup,
// cores or limits, which need a node. `recover` is not called, as the launcher does not call it either.
#include "base/fd.hpp"
#include "plugin/conformance.hpp"

#include <jarvis/runtime.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace jarvis::plugin {

namespace {

namespace fs = std::filesystem;

// The slowest job takes some milliseconds, or ten seconds to say that nobody reaps; more than this hangs.
constexpr std::chrono::seconds job_limit{30};
// A number that no runtime comes to by itself.
constexpr int high_descriptor = 97;

std::size_t entries(const char* folder)
{
    std::error_code error;
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder, error), fs::directory_iterator()));
}

// The plugin as the launcher's template process has it: loaded, once.
class Template {
    Loaded<jarvis_runtime> plugin_;
    std::unique_ptr<OpenArguments> arguments_;
    void* state_ = nullptr;

public:
    explicit Template(const Source& source)
        : plugin_(need(plugin::load<jarvis_runtime>(
                           source.file, "runtime", offsetof(jarvis_runtime, close) + sizeof(jarvis_runtime::close)),
                       "load"))
    {
        const jarvis_runtime& functions = plugin_.table;
        require(functions.load && functions.start && functions.wait && functions.close,
                "its table lacks a function that every runtime has");
        arguments_ = need(open_arguments(*plugin_.header, source), "settings");
        const auto threads = entries("/proc/self/task");
        ErrorBuffer error;
        need(error.result(functions.load(arguments_->get(), &state_, error.data(), error.size())), "load");
        require(entries("/proc/self/task") == threads, "load left a thread behind, which does not survive a fork");
    }
    const jarvis_runtime& table() const { return plugin_.table; }
    void* state() const { return state_; }
};

// --- processes ---

void kill_processes_of(pid_t parent)
{
    std::error_code error;
    for (const auto& entry : fs::directory_iterator("/proc", error)) {
        const std::string name = entry.path().filename();
        if (!std::isdigit(static_cast<unsigned char>(name[0])))
            continue;
        std::ifstream file(entry.path() / "stat");
        std::string line;
        std::getline(file, line);
        const auto end = line.rfind(") "); // after the command, which may hold anything: "S 123 ..."
        if (end != std::string::npos && line.size() > end + 4 && std::atoi(line.c_str() + end + 4) == parent)
            ::kill(std::atoi(name.c_str()), SIGKILL);
    }
}

// Ends and reaps every child of this process, and as it is a subreaper, so also what those leave behind.
void end_children()
{
    for (;;) {
        const pid_t ended = ::waitpid(-1, nullptr, WNOHANG);
        if (ended < 0 && errno == ECHILD)
            return;
        if (ended > 0)
            continue;
        kill_processes_of(::getpid());
        ::poll(nullptr, 0, 2);
    }
}

// What a plugin or shepherd that fails leaves behind comes to us, and not to init, where nobody would find it.
class Subreaper {
    int before_ = 0;

public:
    Subreaper()
    {
        ::prctl(PR_GET_CHILD_SUBREAPER, &before_);
        ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    }
    Subreaper(const Subreaper&) = delete;
    Subreaper& operator=(const Subreaper&) = delete;
    ~Subreaper() { ::prctl(PR_SET_CHILD_SUBREAPER, static_cast<unsigned long>(before_)); }
};

// In the child. The report is empty when all was well.
[[noreturn]] void be_shepherd(const std::function<void()>& body, pid_t parent, int report)
{
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent)
        ::_exit(1);
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    for (int number = 1; number < NSIG; ++number)
        std::signal(number, SIG_DFL);
    sigset_t all;
    sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, nullptr);
    std::string why;
    try {
        body();
    } catch (const std::exception& failure) {
        why = failure.what();
    }
    end_children();
    const bool told = ::write(report, why.data(), why.size()) == static_cast<ssize_t>(why.size());
    ::_exit(told ? 0 : 1);
}

// What comes through the pipe until its end; nothing if that does not come in time.
std::optional<std::string> read_report(int pipe)
{
    const auto deadline = std::chrono::steady_clock::now() + job_limit;
    std::string text;
    for (;;) {
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
        pollfd waited{pipe, POLLIN, 0};
        if (left <= 0 || ::poll(&waited, 1, static_cast<int>(left)) == 0)
            return std::nullopt;
        char buffer[1024];
        const ssize_t got = ::read(pipe, buffer, sizeof buffer);
        if (got == 0)
            return text;
        if (got > 0)
            text.append(buffer, static_cast<std::size_t>(got));
    }
}

// Calls it in a process such as the launcher makes for each job. It fails the check by an exception, as always.
void in_shepherd(const std::function<void()>& body)
{
    int ends[2];
    require(::pipe2(ends, O_CLOEXEC) == 0, "pipe failed");
    const Fd in(ends[0]);
    Fd out(ends[1]);
    const pid_t self = ::getpid();
    const pid_t shepherd = ::fork();
    require(shepherd >= 0, "fork failed");
    if (shepherd == 0)
        be_shepherd(body, self, out.get());
    out = Fd();
    const auto report = read_report(in.get());
    if (!report)
        ::kill(shepherd, SIGKILL);
    int status = 0;
    while (::waitpid(shepherd, &status, 0) < 0 && errno == EINTR) {
    }
    end_children();
    require(report.has_value(), "a job did not end within {} s", job_limit.count());
    require(report->empty(), "{}", *report);
    require(!WIFSIGNALED(status), "crashed the shepherd: signal {}", WTERMSIG(status));
    require(WEXITSTATUS(status) == 0, "ended the shepherd with exit code {}", WEXITSTATUS(status));
}

// --- jobs ---

// What a check says of its job, and the same as the plugin sees it.
class Job {
    std::string folder_;
    std::string program_;
    std::vector<gid_t> groups_;
    std::vector<const char*> argv_, envp_;
    jarvis_launch launch_{};

    static std::vector<const char*> pointers(const std::vector<std::string>& texts)
    {
        std::vector<const char*> result;
        for (const auto& text : texts)
            result.push_back(text.c_str());
        result.push_back(nullptr);
        return result;
    }
    static const char* pointer(const std::optional<std::string>& path) { return path ? path->c_str() : nullptr; }

public:
    std::vector<std::string> arguments;
    std::vector<std::string> environment{"PATH=/usr/bin:/bin"};
    std::optional<std::string> input, output, error;
    std::uint32_t flags = 0;

    Job(const std::string& folder, std::string_view script)
        : folder_(fs::absolute(folder)), program_(folder_ + "/script"), arguments{program_}
    {
        fs::create_directories(folder_);
        put("script", script);
        fs::permissions(program_, fs::perms::owner_all);
        const int count = ::getgroups(0, nullptr);
        groups_.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
        require(::getgroups(count, groups_.data()) == count, "getgroups failed");
    }
    const std::string& program() const { return program_; }
    std::string path(std::string_view name) const { return fmt::format("{}/{}", folder_, name); }
    void put(std::string_view name, std::string_view text) const
    {
        std::ofstream file(path(name), std::ios::trunc);
        file << text << std::flush;
        require(file.good(), "cannot write {}", path(name));
    }
    std::string text(std::string_view name) const
    {
        std::ifstream file(path(name));
        require(file.good(), "the job's file {} was not made", name);
        return {std::istreambuf_iterator<char>(file), {}};
    }
    // Valid until the next call.
    const jarvis_launch& launch()
    {
        argv_ = pointers(arguments);
        envp_ = pointers(environment);
        launch_ = {};
        launch_.struct_size = sizeof launch_;
        launch_.flags = flags;
        launch_.job_id = 1;
        launch_.umask = 027;
        launch_.uid = ::geteuid();
        launch_.gid = ::getegid();
        launch_.groups = groups_.data();
        launch_.group_count = static_cast<std::uint32_t>(groups_.size());
        launch_.program = program_.c_str();
        launch_.argv = argv_.data();
        launch_.envp = envp_.data();
        launch_.working_directory = launch_.job_folder = folder_.c_str();
        launch_.input_path = pointer(input);
        launch_.output_path = pointer(output);
        launch_.error_path = pointer(error);
        launch_.limit_size = sizeof(jarvis_rlimit);
        launch_.cgroup_fd = -1;
        return launch_;
    }
};

// In a shepherd: the calls for one job, in their order. It closes in the end.
class Run {
    const jarvis_runtime& table_;
    void* state_;
    jarvis_handle handle_{};
    std::uint32_t fault_ = 0;
    ErrorBuffer error_;

public:
    explicit Run(const Template& plugin) : table_(plugin.table()), state_(plugin.state())
    {
        if (table_.attach)
            need(error_.result(table_.attach(state_, error_.data(), error_.size())), "attach");
    }
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;
    ~Run() { table_.close(state_); }

    Result<void> start(Job& job)
    {
        handle_.struct_size = sizeof handle_;
        return error_.result(
            table_.start(state_, &job.launch(), &handle_, &fault_, error_.data(), error_.size()));
    }
    std::uint32_t fault() const { return fault_; }
    int wait()
    {
        std::int32_t status = -1;
        need(error_.result(table_.wait(state_, &handle_, &status, error_.data(), error_.size())), "wait");
        return status;
    }
    void signal(int number)
    {
        if (table_.signal)
            need(error_.result(table_.signal(state_, &handle_, number, error_.data(), error_.size())), "signal");
        else
            require(handle_.pid > 0 && ::kill(handle_.pid, number) == 0,
                    "it has no function signal, and its handle no process to send one to");
    }
};

void expect_exit(int status, int code)
{
    require(WIFEXITED(status) && WEXITSTATUS(status) == code, "the script's exit code is {}, wait says status {:#x}",
            code, status);
}

void run(const Template& plugin, Job& job, int code = 0)
{
    in_shepherd([&] {
        Run run(plugin);
        need(run.start(job), "start");
        expect_exit(run.wait(), code);
    });
}

void expect_text(const Job& job, std::string_view file, std::string_view expected)
{
    const std::string found = job.text(file);
    require(found == expected, "the job's file {} should hold \"{}\", it holds \"{}\"", file, expected, found);
}

// A start that has to fail by the fault of the user, with a message that names one of these.
void expect_users_fault(const Template& plugin, Job& job, const std::vector<std::string>& names)
{
    in_shepherd([&] {
        Run run(plugin);
        const auto started = run.start(job);
        require(!started, "start worked, and should not have");
        const auto& message = started.error().message;
        require(run.fault() == JARVIS_FAULT_USER, "fault {} and not {}, the user's: {}", run.fault(),
                static_cast<int>(JARVIS_FAULT_USER), message);
        bool named = false;
        for (const auto& name : names)
            named |= message.find(name) != std::string::npos;
        require(named, "its message does not name {}: \"{}\"", names.front(), message);
        require(::waitpid(-1, nullptr, WNOHANG) < 0 && errno == ECHILD, "a failed start left a process");
    });
}

// --- checks ---

void check_files(const Template& plugin, const std::string& folder, const CheckListener& listener)
{
    run_check(listener, "gives_input_and_output_and_makes_files_with_the_umask", [&] {
        Job job(folder + "/files", "#!/bin/sh\ncat\necho error >&2\n");
        job.put("in", "hello\n");
        job.input = "in"; // relative to the working directory
        job.output = job.path("out");
        job.error = "err";
        run(plugin, job);
        expect_text(job, "out", "hello\n");
        expect_text(job, "err", "error\n");
        const auto mode = static_cast<unsigned>(fs::status(job.path("out")).permissions());
        require(mode == 0640, "the umask is 027, and the output file has mode {:o}", mode);
    });
    run_check(listener, "joins_error_with_output_where_it_has_no_path", [&] {
        Job job(folder + "/joined", "#!/bin/sh\necho one\necho two >&2\necho three\n");
        job.output = "out";
        run(plugin, job);
        expect_text(job, "out", "one\ntwo\nthree\n");
    });
    run_check(listener, "empties_the_output_or_appends_to_it", [&] {
        Job job(folder + "/append", "#!/bin/sh\necho \"$1\"\n");
        job.output = "out";
        job.put("out", "something longer that was there before\n");
        job.arguments = {job.program(), "first"};
        run(plugin, job);
        expect_text(job, "out", "first\n");
        job.arguments = {job.program(), "second"};
        job.flags = JARVIS_LAUNCH_APPEND;
        run(plugin, job);
        expect_text(job, "out", "first\nsecond\n");
    });
}

void check_process(const Template& plugin, const std::string& folder, const CheckListener& listener)
{
    run_check(listener, "gives_arguments_and_this_environment_alone", [&] {
        Job job(folder + "/words",
                "#!/bin/sh\nprintf '%s\\n' \"$#\" \"$1\" \"$2\" \"$3\" \"$COLOUR\" \"${JARVIS_CHECK_HOST-unset}\"\npwd -P\n");
        job.arguments = {job.program(), "one", "two words", ""};
        job.environment.push_back("COLOUR=blue = green");
        job.output = "out";
        in_shepherd([&] {
            ::setenv("JARVIS_CHECK_HOST", "set", 1);
            Run run(plugin);
            need(run.start(job), "start");
            expect_exit(run.wait(), 0);
        });
        expect_text(job, "out",
                    fmt::format("3\none\ntwo words\n\nblue = green\nunset\n{}\n",
                                fs::canonical(folder + "/words").string()));
    });
    run_check(listener, "starts_a_session", [&] {
        Job job(folder + "/session", "#!/bin/sh\nread -r pid name state parent group session rest < /proc/$$/stat\n"
                                     "[ \"$pid\" = \"$session\" ]\n");
        run(plugin, job);
    });
    run_check(listener, "gives_no_descriptor_but_0_1_2", [&] {
        // ls has a descriptor of its own for the folder, the lowest that is free.
        Job job(folder + "/descriptors", "#!/bin/sh\nls /proc/self/fd\n");
        job.output = "out";
        in_shepherd([&] {
            require(::dup2(STDIN_FILENO, high_descriptor) == high_descriptor
                        || ::dup2(::open("/dev/null", O_RDONLY), high_descriptor) == high_descriptor,
                    "dup2 failed");
            Run run(plugin);
            need(run.start(job), "start");
            expect_exit(run.wait(), 0);
        });
        std::string found = job.text("out");
        std::ranges::replace(found, '\n', ' ');
        require(found == "0 1 2 3 ", "ls in the job should see 0 1 2 and its own 3, it sees {}", found);
    });
}

void check_ends(const Template& plugin, const std::string& folder, const CheckListener& listener)
{
    run_check(listener, "gives_the_exit_code", [&] {
        Job job(folder + "/code", "#!/bin/sh\necho to nowhere\nexit $1\n");
        for (const int code : {0, 7}) {
            job.arguments = {job.program(), std::to_string(code)};
            run(plugin, job, code);
        }
    });
    run_check(listener, "gives_the_signal_that_ended_it", [&] {
        Job job(folder + "/signal", "#!/bin/sh\nexec sleep 5\n");
        in_shepherd([&] {
            Run run(plugin);
            need(run.start(job), "start");
            run.signal(SIGTERM);
            const int status = run.wait();
            require(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM,
                    "it was sent signal {}, wait says status {:#x}; does the job start with signals blocked?", SIGTERM,
                    status);
        });
    });
    run_check(listener, "reaps_what_the_job_leaves_behind", [&] {
        Job job(folder + "/orphan", R"(#!/bin/sh
(sh -c 'echo $$ > orphan' &)
until [ -s orphan ]; do sleep 0.01; done
read -r pid < orphan
count=0
while kill -0 "$pid" 2>/dev/null; do
    count=$((count + 1))
    [ $count -lt 500 ] || exit 9
    sleep 0.02
done
)");
        run(plugin, job);
    });
}

void check_failures(const Template& plugin, const std::string& folder, const CheckListener& listener)
{
    run_check(listener, "blames_the_user_for_an_output_that_cannot_be_opened", [&] {
        Job job(folder + "/output", "#!/bin/sh\n: > ran\n");
        job.output = job.path("missing/out");
        expect_users_fault(plugin, job, {*job.output});
        require(!fs::exists(job.path("ran")), "the script has run all the same");
    });
    run_check(listener, "blames_the_user_for_an_interpreter_that_is_missing", [&] {
        Job job(folder + "/interpreter", "#!/nonexistent/interpreter\n");
        expect_users_fault(plugin, job, {"/nonexistent/interpreter", job.program()});
    });
}

} // namespace

void check_runtime(const Source& source, const std::string& folder, const CheckListener& listener)
{
    const Subreaper subreaper;
    std::optional<Template> plugin;
    run_check(listener, "loads", [&] { plugin.emplace(source); });
    if (!plugin)
        return;
    check_ends(*plugin, folder, listener);
    check_files(*plugin, folder, listener);
    check_process(*plugin, folder, listener);
    check_failures(*plugin, folder, listener);
}

} // namespace jarvis::plugin
