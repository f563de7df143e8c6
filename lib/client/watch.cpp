#include "client/watch.hpp"

#include <csignal>
#include <cstdio>
#include <ctime>
#include <unistd.h>

#include <fmt/format.h>

namespace jarvis::client {

namespace {

// The cursor is hidden, and what is wider than the window is cut: wrapped lines would scroll it.
constexpr char begin_drawing[] = "\x1b[?25l\x1b[?7l";
constexpr char end_drawing[] = "\x1b[?7h\x1b[?25h";

// Puts that back and ends as the signal would have.
extern "C" void end_watch(int signal)
{
    constexpr char newline = '\n';
    [[maybe_unused]] auto n = ::write(STDOUT_FILENO, end_drawing, sizeof end_drawing - 1);
    n = ::write(STDOUT_FILENO, &newline, 1);
    std::signal(signal, SIG_DFL);
    std::raise(signal);
}

// The cursor goes home and each line clears what it does not cover, so nothing flickers.
std::string in_place(const std::string& text)
{
    std::string drawn = std::string(begin_drawing) + "\x1b[H";
    for (char c : text)
        drawn += c == '\n' ? "\x1b[K\n" : std::string(1, c);
    return drawn + "\x1b[J";
}

} // namespace

std::string fit_to_height(const std::string& text, std::size_t lines)
{
    std::size_t have = 0, cut = std::string::npos;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\n')
            continue;
        if (++have == lines - 1)
            cut = i + 1;
    }
    if (lines < 2 || have <= lines || cut == std::string::npos)
        return text;
    return text.substr(0, cut) + fmt::format("... {} lines more\n", have - (lines - 1));
}

int watch(const std::function<std::optional<std::string>(const Style&)>& make, std::chrono::milliseconds interval)
{
    const auto whole = std::chrono::floor<std::chrono::seconds>(interval);
    const timespec pause{.tv_sec = whole.count(), .tv_nsec = std::chrono::nanoseconds(interval - whole).count()};
    sigset_t resized;
    sigemptyset(&resized);
    sigaddset(&resized, SIGWINCH);
    sigprocmask(SIG_BLOCK, &resized, nullptr);
    if (standard_output_style().terminal)
        for (int signal : {SIGINT, SIGTERM, SIGHUP})
            std::signal(signal, end_watch);
    while (true) {
        const auto style = standard_output_style();
        const auto made = make(style);
        if (!made) {
            if (style.terminal)
                fmt::print("{}", end_drawing);
            return 0;
        }
        const auto& text = *made;
        // One line stays free for the cursor, or the terminal would scroll.
        fmt::print("{}", style.terminal ? in_place(style.height > 1 ? fit_to_height(text, style.height - 1) : text) : text + "\n");
        if (std::fflush(stdout) != 0)
            return 0;
        sigtimedwait(&resized, nullptr, &pause);
    }
}

} // namespace jarvis::client
