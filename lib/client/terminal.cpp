#include "client/terminal.hpp"

#include <cstdlib>
#include <string_view>
#include <sys/ioctl.h>
#include <unistd.h>

namespace jarvis::client {

namespace {

std::string_view environment(const char* name)
{
    const char* value = std::getenv(name);
    return value ? value : "";
}

} // namespace

Style standard_output_style()
{
    Style style;
    if (!::isatty(STDOUT_FILENO))
        return style;
    style.terminal = true;
    style.colour = environment("NO_COLOR").empty() && environment("TERM") != "dumb";
    winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) {
        style.width = size.ws_col;
        style.height = size.ws_row;
    }
    return style;
}

} // namespace jarvis::client
