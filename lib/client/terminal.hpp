// What a command must know of where its output goes.
#pragma once

#include <cstddef>

namespace jarvis::client {

// How output is laid out. A default-constructed style is that of a pipe or file.
struct Style {
    std::size_t width = 0;  // columns; 0: as wide as it takes
    std::size_t height = 0; // lines; 0: as many as it takes
    bool colour = false;
    bool terminal = false;
};

// Of standard output. Colour is for terminals alone, and not with NO_COLOR set to anything (no-color.org) or TERM=dumb.
Style standard_output_style();

} // namespace jarvis::client
