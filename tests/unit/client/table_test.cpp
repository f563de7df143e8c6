#include "client/table.hpp"
#include "client/job_table.hpp"
#include "client/watch.hpp"

#include <boost/test/unit_test.hpp>

using namespace jarvis::client;

namespace {

Table small()
{
    Table table;
    table.columns = {{"ID", Align::right, 0, 0}, {"NAME", Align::left, 0, 4}, {"WHERE", Align::left, 0, 4}};
    table.rows = {{{"7"}, {"simulation-of-it"}, {"n1"}}, {{"1234"}, {"x"}, {""}}};
    return table;
}

} // namespace

BOOST_AUTO_TEST_SUITE(table)

BOOST_AUTO_TEST_CASE(as_wide_as_it_takes_where_there_is_no_terminal)
{
    BOOST_TEST(render(small(), {}) == "  ID  NAME              WHERE\n"
                                      "   7  simulation-of-it  n1\n"
                                      "1234  x\n");
}

BOOST_AUTO_TEST_CASE(the_widest_column_gives_way)
{
    Style style;
    style.width = 20;
    BOOST_TEST(render(small(), style) == "  ID  NAME     WHERE\n"
                                         "   7  simula+  n1\n"
                                         "1234  x\n");
    style.width = 3; // cannot be had: every column keeps its least
    BOOST_TEST(render(small(), style) == "  ID  NAME  WHE+\n"
                                         "   7  sim+  n1\n"
                                         "1234  x\n");
}

BOOST_AUTO_TEST_CASE(a_width_that_was_asked_for_holds_everywhere)
{
    auto table = small();
    table.columns[1].most = 5;
    BOOST_TEST(render(table, {}) == "  ID  NAME   WHERE\n"
                                    "   7  simu+  n1\n"
                                    "1234  x\n");
}

BOOST_AUTO_TEST_CASE(colour_only_where_the_style_has_it)
{
    Table table;
    table.titles = false;
    table.columns = {{"S", Align::left, 0, 0}, {"N", Align::left, 0, 0}};
    table.rows = {{{"R", Colour::green}, {"n1"}}};
    BOOST_TEST(render(table, {}) == "R  n1\n");
    Style style;
    style.colour = true;
    BOOST_TEST(render(table, style) == "\x1b[32mR\x1b[0m  n1\n");
}

BOOST_AUTO_TEST_CASE(formats)
{
    const auto chosen = parse_format("id,name:20,comment").value();
    BOOST_TEST(chosen.size() == 3u);
    BOOST_TEST(chosen[1].width == 20u);
    BOOST_TEST(needs_detail(chosen));
    BOOST_TEST(!needs_detail(parse_format("id").value()));
    BOOST_TEST(parse_format("id,stat").error().message.starts_with("unknown column \"stat\"; did you mean \"state\"?"));
    for (const char* text : {"", "id,", "name:", "name:0", "name:x", "name:2000"})
        BOOST_TEST(!parse_format(text), text);
}

BOOST_AUTO_TEST_CASE(what_is_watched_fits_the_height)
{
    BOOST_TEST(fit_to_height("1\n2\n3\n", 3) == "1\n2\n3\n");
    BOOST_TEST(fit_to_height("1\n2\n3\n4\n", 3) == "1\n2\n... 2 lines more\n");
}

BOOST_AUTO_TEST_SUITE_END()
