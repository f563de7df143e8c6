#include "client/table.hpp"

#include "base/escape.hpp"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

namespace jarvis::client {

namespace {

std::string_view code(Colour colour)
{
    switch (colour) {
    case Colour::green:
        return "\x1b[32m";
    case Colour::yellow:
        return "\x1b[33m";
    case Colour::red:
        return "\x1b[31m";
    case Colour::cyan:
        return "\x1b[36m";
    case Colour::dim:
        return "\x1b[2m";
    case Colour::plain:
        break;
    }
    return "";
}

std::vector<std::size_t> natural_widths(const Table& table)
{
    std::vector<std::size_t> widths;
    for (std::size_t c = 0; c < table.columns.size(); ++c) {
        std::size_t width = table.titles ? terminal_width(table.columns[c].title) : 0;
        for (const auto& row : table.rows)
            width = std::max(width, terminal_width(row[c].text));
        if (table.columns[c].most > 0)
            width = std::min(width, table.columns[c].most);
        widths.push_back(width);
    }
    return widths;
}

// Takes columns from the widest that may give some, until the line fits or none may.
void shrink(std::vector<std::size_t>& widths, const Table& table, std::size_t limit)
{
    auto total = std::accumulate(widths.begin(), widths.end(), widths.empty() ? 0 : 2 * (widths.size() - 1));
    while (total > limit) {
        std::size_t widest = widths.size();
        for (std::size_t c = 0; c < widths.size(); ++c)
            if (table.columns[c].least > 0 && widths[c] > table.columns[c].least &&
                (widest == widths.size() || widths[c] > widths[widest]))
                widest = c;
        if (widest == widths.size())
            return;
        --widths[widest];
        --total;
    }
}

void add_line(std::string& text, const Table& table, const std::vector<Cell>& cells, const std::vector<std::size_t>& widths, const Style& style)
{
    std::size_t owed = 0; // spaces are printed only before something
    for (std::size_t c = 0; c < cells.size(); ++c) {
        const auto cell = fit_to_width(cells[c].text, widths[c]);
        const auto room = widths[c] - std::min(widths[c], terminal_width(cell));
        if (c > 0)
            owed += 2;
        if (cell.empty()) {
            owed += widths[c];
            continue;
        }
        if (table.columns[c].align == Align::right)
            owed += room;
        text.append(owed, ' ');
        text += paint(cell, cells[c].colour, style);
        owed = table.columns[c].align == Align::left ? room : 0;
    }
    text += '\n';
}

} // namespace

std::string paint(std::string_view text, Colour colour, const Style& style)
{
    if (!style.colour || colour == Colour::plain)
        return std::string(text);
    return fmt::format("{}{}\x1b[0m", code(colour), text);
}

std::string render(const Table& table, const Style& style)
{
    auto widths = natural_widths(table);
    if (style.width > 0)
        shrink(widths, table, style.width);
    std::string text;
    if (table.titles) {
        std::vector<Cell> titles;
        for (const auto& column : table.columns)
            titles.push_back({column.title, Colour::dim});
        add_line(text, table, titles, widths, style);
    }
    for (const auto& row : table.rows)
        add_line(text, table, row, widths, style);
    return text;
}

} // namespace jarvis::client
