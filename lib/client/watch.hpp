// Shows a text again and again, in place.
#pragma once

#include "client/terminal.hpp"

#include <functional>
#include <string>

namespace jarvis::client {

// Every two seconds and when the window changes its size, until a signal ends the process (the cursor is put back then).
// Without a terminal the texts follow each other. Returns when standard output is gone.
int watch(const std::function<std::string(const Style&)>& make);

// The text cut to the terminal's height, the last line saying how many lines there are more.
std::string fit_to_height(const std::string& text, std::size_t lines);

} // namespace jarvis::client
