// SQLite with owners for its handles and exceptions for its errors.
#pragma once

#include <jarvis/storage.hpp>

#include <sqlite3.h>

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace sqlite_storage {

// What SQLite said, with its extended code. The code for our callers says whether trying again makes sense.
class DatabaseError : public jarvis_plugin::Failure {
    int sqlite_code_;

public:
    DatabaseError(int sqlite_code, const std::string& message);
    bool is_full() const noexcept { return (sqlite_code_ & 0xff) == SQLITE_FULL; }
};

class Connection;

class Statement {
    struct Finalize {
        void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
    };
    Connection* connection_ = nullptr;
    std::unique_ptr<sqlite3_stmt, Finalize> statement_;

    void bind_one(int index, std::string_view bytes);
    void bind_one(int index, std::int64_t number);

public:
    // One execution; resets the statement when it ends, so that no read transaction stays open.
    class Run {
        Connection& connection_;
        sqlite3_stmt* statement_;

    public:
        Run(Connection& connection, sqlite3_stmt* statement) : connection_(connection), statement_(statement) {}
        Run(const Run&) = delete;
        ~Run()
        {
            sqlite3_reset(statement_);
            sqlite3_clear_bindings(statement_);
        }
        bool step(); // true: there is a row
        std::int64_t integer(int column) const { return sqlite3_column_int64(statement_, column); }
        std::uint64_t number(int column) const { return static_cast<std::uint64_t>(integer(column)); }
        std::string_view bytes(int column) const; // until the next step
    };

    Statement() = default;
    Statement(Connection& connection, std::string_view sql);

    // Bytes that are bound stay where they are until the Run ends.
    template <class... Args>
    Run run(const Args&... args)
    {
        [[maybe_unused]] int index = 0;
        [[maybe_unused]] const auto bind = [&](const auto& value) {
            if constexpr (std::is_integral_v<std::remove_cvref_t<decltype(value)>>)
                bind_one(++index, static_cast<std::int64_t>(value));
            else
                bind_one(++index, std::string_view(value));
        };
        (bind(args), ...);
        return Run(*connection_, statement_.get());
    }
    template <class... Args>
    void execute(const Args&... args)
    {
        auto execution = run(args...);
        while (execution.step()) {
        }
    }
};

enum class Access { read_write, read_only };

class Connection {
    struct Close {
        void operator()(sqlite3* handle) const noexcept { sqlite3_close_v2(handle); }
    };
    std::unique_ptr<sqlite3, Close> handle_;
    std::string name_; // for messages: "journal.db"

public:
    Connection(const std::string& path, Access access, const std::string& vfs);
    Connection(const Connection&) = delete;

    sqlite3* handle() const noexcept { return handle_.get(); }
    void execute(const char* sql);
    Statement prepare(std::string_view sql) { return Statement(*this, sql); }
    std::int64_t query_integer(std::string_view sql);
    // "journal.db: cannot <action>: disk I/O error".
    [[noreturn]] void fail(int code, std::string_view action) const;
    const std::string& name() const noexcept { return name_; }
};

// Begins at construction; rolls back unless it was committed.
class Transaction {
    Connection& connection_;
    bool open_ = true;

public:
    enum class Kind { read, write };
    Transaction(Connection& connection, Kind kind);
    Transaction(const Transaction&) = delete;
    ~Transaction();
    void commit();
};

// A database file with our mark and format number. A new one is made with `schema`; one of a newer format is refused.
struct Format {
    int version;
    const char* schema;
};
// Makes the file readable by its owner alone: scripts and environments are private.
std::unique_ptr<Connection> open_writer(const std::string& path, const std::string& vfs, const Format& format);
// Everything in the write-ahead log goes to the database file and is synced. After a failed fsync the log's pages may
// look clean to the kernel without being on the disk; written anew to the database file they are durable when this
// returns.
void settle(Connection& connection);

// Connections for readers, so that a long read keeps nobody waiting.
class Readers {
    std::string path_;
    std::string vfs_;
    int version_;
    std::mutex mutex_;
    std::vector<std::unique_ptr<Connection>> idle_;

public:
    class Lease {
        Readers& readers_;
        std::unique_ptr<Connection> connection_;

    public:
        Lease(Readers& readers, std::unique_ptr<Connection> connection)
            : readers_(readers), connection_(std::move(connection))
        {}
        Lease(const Lease&) = delete;
        ~Lease();
        Connection& operator*() const noexcept { return *connection_; }
        Connection* operator->() const noexcept { return connection_.get(); }
    };
    Readers(std::string path, std::string vfs, const Format& format)
        : path_(std::move(path)), vfs_(std::move(vfs)), version_(format.version)
    {}
    Lease take();
};

// Loads a SQLite extension that registers a VFS, for as long as the process lives.
void load_vfs_module(const std::string& file);

} // namespace sqlite_storage
