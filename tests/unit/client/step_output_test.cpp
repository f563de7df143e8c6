#include "client/step_output.hpp"

#include "base/fd.hpp"

#include <boost/test/unit_test.hpp>

#include <csignal>

#include <unistd.h>

using namespace jarvis;
using namespace jarvis::client;

BOOST_AUTO_TEST_SUITE(step_output)

BOOST_AUTO_TEST_CASE(lines_are_labelled_when_they_are_whole)
{
    LineLabels labels(3, 11);
    std::string out;
    labels.take("ab", out);
    BOOST_TEST(out.empty());
    labels.take("c\nd\n\ne", out);
    BOOST_TEST(out == " 3: abc\n 3: d\n 3: \n");
    labels.finish(out);
    labels.finish(out);
    BOOST_TEST(out == " 3: abc\n 3: d\n 3: \n 3: e\n");
}

BOOST_AUTO_TEST_CASE(a_line_without_an_end_is_cut_some_time)
{
    LineLabels labels(0, 1);
    std::string out;
    for (int i = 0; i < 40; ++i)
        labels.take(std::string(100'000, 'x'), out);
    BOOST_TEST(out.size() > 3'000'000u);
    BOOST_TEST(out.starts_with("0: x"));
}

BOOST_AUTO_TEST_CASE(a_pipe_gets_whole_lines_and_everything)
{
    int ends[2];
    BOOST_REQUIRE(::pipe(ends) == 0);
    const Fd reader(ends[0]);
    Fd writer(ends[1]);
    Sink sink(writer.get());
    for (int i = 0; i < 1000; ++i)
        sink.held() += std::string(9, 'x') + '\n';
    const auto all = sink.held();
    sink.write_some();
    BOOST_TEST((all.size() - sink.held().size()) % 10 == 0u);
    sink.write_all();
    writer = Fd();
    std::string got(all.size() + 1, '\0');
    std::size_t size = 0;
    for (ssize_t n; (n = ::read(reader.get(), got.data() + size, got.size() - size)) > 0;)
        size += static_cast<std::size_t>(n);
    got.resize(size);
    BOOST_TEST((got == all));
}

BOOST_AUTO_TEST_CASE(where_nobody_reads_nothing_is_kept_waiting)
{
    ::signal(SIGPIPE, SIG_IGN);
    int ends[2];
    BOOST_REQUIRE(::pipe(ends) == 0);
    const Fd writer(ends[1]);
    ::close(ends[0]);
    Sink sink(writer.get());
    sink.held() = "x\n";
    sink.write_all();
    BOOST_TEST(sink.is_broken());
    BOOST_TEST(!sink.wants_to_write());
}

BOOST_AUTO_TEST_SUITE_END()
