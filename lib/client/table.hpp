// Tables that fit the terminal.
#pragma once

#include "client/terminal.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace jarvis::client {

enum class Align { left, right };
enum class Colour { plain, green, yellow, red, cyan, dim };

struct Cell {
    std::string text; // already safe to print (escape_for_terminal)
    Colour colour = Colour::plain;
};

struct TableColumn {
    std::string title;
    Align align = Align::left;
    std::size_t most = 0;  // cut to so many columns, wherever the output goes; 0: not
    std::size_t least = 0; // may be cut down to this where the line does not fit the terminal; 0: never
};

struct Table {
    std::vector<TableColumn> columns;
    std::vector<std::vector<Cell>> rows; // each as long as columns
    bool titles = true;
};

// One line for each row, without spaces at its end. What is cut ends in '+'.
std::string render(const Table& table, const Style& style);

std::string paint(std::string_view text, Colour colour, const Style& style);

} // namespace jarvis::client
