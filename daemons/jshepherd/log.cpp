#include "log.hpp"

#include "base/escape.hpp"

#include <ctime>
#include <fcntl.h>
#include <unistd.h>

namespace jarvis::shepherd {
namespace {

std::string log_file;
bool log_json = false;

Result<void> use_file(const std::string& file)
{
    const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640);
    if (fd < 0)
        return std::unexpected(system_error(errno, "log file " + file));
    ::dup2(fd, STDERR_FILENO);
    ::close(fd);
    return {};
}

std::string timestamp()
{
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    tm parts{};
    ::gmtime_r(&now.tv_sec, &parts);
    char text[32];
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
    return fmt::format("{}.{:03}Z", text, now.tv_nsec / 1'000'000);
}

std::string quoted(std::string_view message)
{
    std::string out;
    for (const char c : message) {
        if (c == '"' || c == '\\')
            out += '\\';
        out += c;
    }
    return out;
}

} // namespace

Result<void> open_log(const std::string& file, bool json)
{
    log_file = file;
    log_json = json;
    return file.empty() ? Result<void>{} : use_file(file);
}

void reopen_log()
{
    if (log_file.empty())
        return;
    if (auto opened = use_file(log_file); !opened)
        log_error("{}; the old one is kept", opened.error().message);
}

void write_log(std::string_view level, std::string_view message)
{
    const std::string safe = escape_for_terminal(message);
    const std::string line =
        log_json ? fmt::format("{{\"time\":\"{}\",\"level\":\"{}\",\"program\":\"jshepherd\",\"message\":\"{}\"}}\n",
                               timestamp(), level, quoted(safe))
                 : fmt::format("{} {} jshepherd: {}\n", timestamp(), level, safe);
    // A log that cannot be written must not end jobs.
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

} // namespace jarvis::shepherd
