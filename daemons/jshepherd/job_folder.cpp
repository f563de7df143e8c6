#include "job_folder.hpp"

#include "processes.hpp"

#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

namespace jarvis::shepherd {
namespace {

constexpr int record_attempts = 30;
constexpr int record_pause_ms = 1000;

Result<void> write_file(const std::string& path, const std::string& bytes)
{
    const Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!file)
        return std::unexpected(system_error(errno, path));
    const ssize_t written = ::write(file.get(), bytes.data(), bytes.size());
    if (written != static_cast<ssize_t>(bytes.size()))
        return std::unexpected(system_error(written < 0 ? errno : ENOSPC, path));
    if (::fdatasync(file.get()) != 0)
        return std::unexpected(system_error(errno, path));
    return {};
}

Result<void> write_and_rename(const std::string& job_folder, const std::string& bytes)
{
    const std::string unfinished = job_folder + "/exit.tmp";
    const std::string finished = job_folder + "/exit";
    if (auto written = write_file(unfinished, bytes); !written)
        return written;
    if (::rename(unfinished.c_str(), finished.c_str()) != 0)
        return std::unexpected(system_error(errno, finished));
    return {};
}

} // namespace

std::string pid_file_path(const std::string& job_folder)
{
    return job_folder + "/shepherd.pid";
}

Result<PidFile> PidFile::make(const std::string& job_folder)
{
    const std::string path = pid_file_path(job_folder);
    PidFile result;
    result.file_ = Fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!result.file_ && errno == EEXIST)
        return fail(Errc::denied, "{} exists", path);
    if (!result.file_)
        return std::unexpected(system_error(errno, path));
    const std::string line = std::to_string(::getpid()) + ' ' + own_start_time() + '\n';
    if (::write(result.file_.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size()))
        return std::unexpected(system_error(errno, path));
    result.size_ = line.size();
    return result;
}

void PidFile::add_script(pid_t pid)
{
    const std::string line = std::to_string(pid) + '\n';
    // Only a signal for the script alone needs it; without it that signal goes nowhere, which its sender sees.
    [[maybe_unused]] const auto written =
        ::pwrite(file_.get(), line.data(), line.size(), static_cast<off_t>(size_));
    file_ = Fd();
}

std::optional<pid_t> read_shepherd_pid(const std::string& job_folder)
{
    const Fd file(::open(pid_file_path(job_folder).c_str(), O_RDONLY | O_CLOEXEC));
    char text[64];
    const ssize_t size = file ? ::read(file.get(), text, sizeof text) : -1;
    pid_t pid = 0;
    if (size <= 0 || std::from_chars(text, text + size, pid).ec != std::errc{})
        return std::nullopt;
    return pid;
}

Result<void> write_device_program(const std::string& job_folder, std::uint32_t id)
{
    return write_file(job_folder + "/devices", std::to_string(id));
}

Result<void> write_prepared(const std::string& job_folder) { return write_file(job_folder + "/prepared", ""); }

Result<void> write_exit_record(const std::string& job_folder, const wire::ExitRecord& record)
{
    const std::string bytes = record.SerializeAsString();
    for (int attempt = 1;; ++attempt) {
        auto written = write_and_rename(job_folder, bytes);
        if (written || attempt == record_attempts)
            return written;
        ::poll(nullptr, 0, record_pause_ms);
    }
}

} // namespace jarvis::shepherd
