// Jobs as lines of a table: the named columns of jq and jacct.
#pragma once

#include "base/result.hpp"
#include "base/time.hpp"
#include "client.pb.h"
#include "client/session.hpp"
#include "client/table.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace jarvis::client {

// One job. `detail` is null where only the summary was asked for.
struct JobRow {
    const wire::JobSummary* summary;
    const wire::JobDetail* detail;
    std::optional<std::uint32_t> step = {}; // a step of the job; the summary is one of its own
    std::span<const wire::StepEnd> steps = {}; // of a job, where they were asked for
};
std::vector<JobRow> rows_of(const Jobs& jobs);

struct JobColumn {
    std::string_view name;  // as --format takes it
    std::string_view title;
    std::string_view help;
    Align align;
    std::size_t least;      // TableColumn::least
    bool needs_detail;
    Cell (*cell)(const JobRow& row, WallTime now);
};
std::span<const JobColumn> job_columns();

struct ChosenColumn {
    const JobColumn* column;
    std::size_t width; // 0: as wide as it takes
};
// "id,name:20,state": names of columns, each with the width to cut it to where one is given.
Result<std::vector<ChosenColumn>> parse_format(std::string_view text);
bool needs_detail(std::span<const ChosenColumn> columns);
// For the manual and --help: "id name user ...".
std::string column_names();

// Made row by row: what a row is of need not be kept.
class JobTable {
    std::span<const ChosenColumn> chosen_;
    WallTime now_;
    Table table_;
    std::vector<Cell> cells_; // of one row

public:
    JobTable(std::span<const ChosenColumn> columns, WallTime now);
    void add(const JobRow& row);
    void add(const wire::JobList& part);
    const Table& table() const { return table_; }
};
Table job_table(std::span<const JobRow> rows, std::span<const ChosenColumn> columns, WallTime now);

// How long the job has run, or ran; nothing before its start.
std::optional<Duration> elapsed_time(const JobRow& row, WallTime now);
// Of a job that has ended to the nearest second: a "sleep 8" that took 7.997 seconds shows 8. While it runs, only whole
// seconds count, as on any clock.
std::string duration_text(const wire::JobSummary& job, Duration duration);
// "7", "TERM", "-": exit code or signal.
std::string exit_text(const wire::JobEnd& end);
// "unlimited" for the longest duration there is as well (submit_options.cpp asks for that).
std::string limit_text(const wire::JobSummary& summary);
WallTime wall_time(std::int64_t us);

} // namespace jarvis::client
