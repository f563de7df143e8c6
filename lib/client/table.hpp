// Tables that fit the terminal.
#pragma once

#include "client/terminal.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace jarvis::client {

enum class Align { left, right };
enum class Colour : std::uint8_t { plain, green, yellow, red, cyan, dim };

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

// The lines of a table, each as long as there are columns. There may be a million, so their text is one string.
class TableRows {
public:
    // As it is kept: `width` is terminal_width(text).
    struct Kept {
        std::string_view text;
        std::size_t width;
        Colour colour;
    };

    TableRows() = default;
    TableRows(std::initializer_list<std::vector<Cell>> rows);
    void push_back(const std::vector<Cell>& row);
    // In order.
    void for_each(const std::function<void(std::span<const Kept>)>& take) const;

private:
    struct Piece {
        std::uint32_t size;
        std::uint32_t width;
        Colour colour;
        bool last; // of its line
    };
    std::string text_;
    std::vector<Piece> pieces_;
};

struct Table {
    std::vector<TableColumn> columns;
    TableRows rows;
    bool titles = true;
};

// One line for each row, without spaces at its end. What is cut ends in '+'.
std::string render(const Table& table, const Style& style);

std::string paint(std::string_view text, Colour colour, const Style& style);

} // namespace jarvis::client
