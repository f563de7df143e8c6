// Shows a text again and again, in place.
#pragma once

#include "client/terminal.hpp"

#include <chrono>
#include <functional>
#include <optional>
#include <string>

namespace jarvis::client {

// Every so often and when the window changes its size, until there is no text any more or a signal ends the process (the terminal is
// put back then). Without a terminal the texts follow each other. Returns when standard output is gone, too.
int watch(const std::function<std::optional<std::string>(const Style&)>& make, std::chrono::milliseconds interval = std::chrono::seconds(2));

// The text cut to the terminal's height, the last line saying how many lines there are more.
std::string fit_to_height(const std::string& text, std::size_t lines);

} // namespace jarvis::client
