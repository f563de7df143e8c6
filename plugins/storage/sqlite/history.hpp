// history.db: one row for each incarnation of each job, to be queried for years, and its parts (steps), in bundles.
#pragma once

#include "database.hpp"

#include <optional>

namespace sqlite_storage {

class History {
    struct Writer {
        std::unique_ptr<Connection> connection;
        Statement replace, replace_part, set_last;
        std::uint64_t last = 0;
    };
    std::string path_;
    Readers readers_;
    std::mutex mutex_; // of writer_
    std::optional<Writer> writer_;

public:
    History(const std::string& folder, const std::string& vfs, bool read_only);
    void apply(std::uint64_t through, const jarvis_plugin::Array<jarvis_history_row>& rows,
               const jarvis_plugin::Array<jarvis_history_part>& parts);
    std::uint64_t last_sequence();
    void query(const jarvis_history_filter& filter, const jarvis_plugin::RowSink& sink);
    void parts(const jarvis_history_key& key, const jarvis_plugin::PartSink& sink);
};

} // namespace sqlite_storage
