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
    for (const auto& column : table.columns)
        widths.push_back(table.titles ? terminal_width(column.title) : 0);
    table.rows.for_each([&](std::span<const TableRows::Kept> cells) {
        for (std::size_t c = 0; c < cells.size(); ++c)
            widths[c] = std::max(widths[c], cells[c].width);
    });
    for (std::size_t c = 0; c < widths.size(); ++c)
        if (table.columns[c].most > 0)
            widths[c] = std::min(widths[c], table.columns[c].most);
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

void add_painted(std::string& text, std::string_view cell, Colour colour, const Style& style)
{
    if (style.colour && colour != Colour::plain)
        text += paint(cell, colour, style);
    else
        text += cell;
}

void add_line(std::string& text, const Table& table, std::span<const TableRows::Kept> cells, const std::vector<std::size_t>& widths,
              const Style& style)
{
    std::size_t owed = 0; // spaces are printed only before something
    for (std::size_t c = 0; c < cells.size(); ++c) {
        auto [cell, width, colour] = cells[c];
        std::string cut;
        if (width > widths[c]) {
            cut = fit_to_width(cell, widths[c]);
            cell = cut;
            width = std::min(widths[c], terminal_width(cut));
        }
        const auto room = widths[c] - width;
        if (c > 0)
            owed += 2;
        if (cell.empty()) {
            owed += widths[c];
            continue;
        }
        if (table.columns[c].align == Align::right)
            owed += room;
        text.append(owed, ' ');
        add_painted(text, cell, colour, style);
        owed = table.columns[c].align == Align::left ? room : 0;
    }
    text += '\n';
}

} // namespace

TableRows::TableRows(std::initializer_list<std::vector<Cell>> rows)
{
    for (const auto& row : rows)
        push_back(row);
}

void TableRows::push_back(const std::vector<Cell>& row)
{
    for (const auto& [text, colour] : row) {
        text_ += text;
        pieces_.push_back({static_cast<std::uint32_t>(text.size()), static_cast<std::uint32_t>(terminal_width(text)), colour, false});
    }
    if (!row.empty())
        pieces_.back().last = true;
}

void TableRows::for_each(const std::function<void(std::span<const Kept>)>& take) const
{
    std::vector<Kept> cells;
    std::string_view rest = text_;
    for (const auto& piece : pieces_) {
        cells.push_back({rest.substr(0, piece.size), piece.width, piece.colour});
        rest.remove_prefix(piece.size);
        if (piece.last) {
            take(cells);
            cells.clear();
        }
    }
}

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
    const auto add = [&](std::span<const TableRows::Kept> cells) { add_line(text, table, cells, widths, style); };
    if (table.titles) {
        std::vector<TableRows::Kept> titles;
        for (const auto& column : table.columns)
            titles.push_back({column.title, terminal_width(column.title), Colour::dim});
        add(titles);
    }
    table.rows.for_each(add);
    return text;
}

} // namespace jarvis::client
