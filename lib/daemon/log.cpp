#include "daemon/log.hpp"

#include "base/escape.hpp"
#include "base/fd.hpp"

#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <memory>
#include <mutex>
#include <unistd.h>

namespace jarvis::daemon {

namespace {

constexpr std::array<std::string_view, 5> level_names{"trace", "debug", "info", "warning", "error"};
constexpr std::array spdlog_levels{spdlog::level::trace, spdlog::level::debug, spdlog::level::info, spdlog::level::warn,
                                   spdlog::level::err};

// spdlog's own file sink leaves its descriptor open in children; ours must not be seen by any job.
class FdSink final : public spdlog::sinks::base_sink<std::mutex> {
    Fd file_; // none: stderr
    std::size_t lost_ = 0;

    bool write_all(std::string_view bytes)
    {
        int fd = file_ ? file_.get() : STDERR_FILENO;
        while (!bytes.empty()) {
            auto n = ::write(fd, bytes.data(), bytes.size());
            if (n > 0)
                bytes.remove_prefix(static_cast<std::size_t>(n));
            else if (errno != EINTR)
                return false;
        }
        return true;
    }
    // A full disk costs lines of the log, not the daemon; the next line that can be written says how many.
    void sink_it_(const spdlog::details::log_msg& message) override
    {
        spdlog::memory_buf_t line;
        formatter_->format(message, line);
        if (lost_ > 0) {
            auto text = fmt::format("{} lines of this log could not be written", lost_);
            auto note = message;
            note.payload = text;
            spdlog::memory_buf_t note_line;
            formatter_->format(note, note_line);
            if (!write_all({note_line.data(), note_line.size()})) {
                ++lost_;
                return;
            }
            lost_ = 0;
        }
        if (!write_all({line.data(), line.size()}))
            ++lost_;
    }
    void flush_() override {}

public:
    explicit FdSink(Fd file) : file_(std::move(file)) {}
    void replace(Fd file)
    {
        std::lock_guard lock(mutex_);
        file_ = std::move(file);
    }
};

struct Backend {
    LogOptions options;
    std::shared_ptr<FdSink> sink;
    std::shared_ptr<spdlog::logger> logger;
};

std::mutex backend_mutex;
std::shared_ptr<const Backend> current_backend;

Result<Fd> open_file(const std::string& path)
{
    Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640));
    if (!file)
        return std::unexpected(system_error(errno, fmt::format("cannot open the log file {}", path)));
    return file;
}

std::string json_string(std::string_view text)
{
    std::string result = "\"";
    for (char c : text) { // control characters are gone already
        if (c == '"' || c == '\\')
            result += '\\';
        result += c;
    }
    return result + '"';
}

// Times are RFC 3339 with offset. A per cent sign in the program's name would be read as a pattern.
std::string pattern(const LogOptions& options)
{
    std::string program;
    for (char c : options.program)
        program += c == '%' ? "%%" : std::string(1, c);
    if (options.format == LogFormat::json)
        return fmt::format(R"({{"time":"%Y-%m-%dT%H:%M:%S.%f%z","level":"%l","program":"{}","pid":%P,%v}})", program);
    return fmt::format("%Y-%m-%dT%H:%M:%S.%f%z %-7l {}[%P]: %v", program);
}

std::shared_ptr<const Backend> make_backend(LogOptions options, Fd file)
{
    auto backend = std::make_shared<Backend>();
    backend->sink = std::make_shared<FdSink>(std::move(file));
    backend->logger = std::make_shared<spdlog::logger>("jarvis", backend->sink);
    backend->logger->set_level(spdlog::level::trace); // Log::enabled decides
    backend->logger->set_pattern(pattern(options));
    backend->options = std::move(options);
    return backend;
}

std::shared_ptr<const Backend> backend()
{
    std::lock_guard lock(backend_mutex);
    if (!current_backend)
        current_backend = make_backend({.program = program_invocation_short_name}, Fd());
    return current_backend;
}

std::string payload(LogFormat format, LogFields fields, std::string_view message)
{
    std::string text;
    if (format == LogFormat::json) {
        text = "\"message\":" + json_string(escape_for_terminal(message));
        for (const auto& field : fields)
            text += fmt::format(",\"{}\":{}", field.key,
                                field.number ? field.value : json_string(escape_for_terminal(field.value)));
        return text;
    }
    text = escape_for_terminal(message);
    for (const auto& field : fields)
        text += fmt::format(" {}={}", field.key, escape_for_terminal(field.value));
    return text;
}

} // namespace

std::string_view name(LogLevel level) { return level_names[static_cast<std::size_t>(level)]; }

Result<LogLevel> parse_log_level(std::string_view text)
{
    for (std::size_t i = 0; i < level_names.size(); ++i)
        if (text == level_names[i])
            return static_cast<LogLevel>(i);
    return fail(Errc::invalid, "unknown log level \"{}\"; it is one of {}", text, fmt::join(level_names, ", "));
}

Result<LogFormat> parse_log_format(std::string_view text)
{
    if (text == "text")
        return LogFormat::text;
    if (text == "json")
        return LogFormat::json;
    return fail(Errc::invalid, "unknown log format \"{}\"; it is text or json", text);
}

void Log::write(LogLevel level, LogFields fields, std::string_view message)
{
    auto to = backend();
    to->logger->log(spdlog_levels[static_cast<std::size_t>(level)],
                    spdlog::string_view_t(payload(to->options.format, fields, message)));
}

Log& log()
{
    static Log instance;
    return instance;
}

Result<void> open_log(const LogOptions& options)
{
    Fd file;
    if (!options.file.empty()) {
        auto opened = open_file(options.file);
        if (!opened)
            return std::unexpected(std::move(opened.error()));
        file = std::move(*opened);
    }
    auto made = make_backend(options, std::move(file));
    {
        std::lock_guard lock(backend_mutex);
        current_backend = std::move(made);
    }
    log().level_ = options.level;
    return {};
}

void reopen_log()
{
    auto to = backend();
    if (to->options.file.empty())
        return;
    auto file = open_file(to->options.file);
    if (file)
        to->sink->replace(std::move(*file));
    else
        log().error("the log goes on in the old file: {}", file.error().message);
}

} // namespace jarvis::daemon
