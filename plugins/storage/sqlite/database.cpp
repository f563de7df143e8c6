#include "database.hpp"

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include <fcntl.h>
#include <unistd.h>

namespace sqlite_storage {

namespace {

// PRAGMA application_id of our files: "JRVS".
constexpr int application_id = 0x4a525653;

jarvis_code failure_code(int sqlite_code)
{
    switch (sqlite_code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return JARVIS_CORRUPT;
    case SQLITE_TOOBIG:
        return JARVIS_INVALID;
    default:
        return JARVIS_UNAVAILABLE;
    }
}

void make_private_file(const std::string& path)
{
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        throw jarvis_plugin::Failure(JARVIS_UNAVAILABLE,
                                     path + ": cannot be made: " + std::generic_category().message(errno));
    ::close(fd);
}

std::string escape_uri(const std::string& path)
{
    std::string result;
    for (const char c : path) {
        if (c == '?' || c == '%' || c == '#') {
            char code[4];
            std::snprintf(code, sizeof code, "%%%02x", c);
            result += code;
        } else {
            result += c;
        }
    }
    return result;
}

void check_format(Connection& connection, int known)
{
    const auto id = connection.query_integer("PRAGMA application_id");
    if (id != application_id)
        throw jarvis_plugin::Failure(JARVIS_CORRUPT, connection.name() + ": is a database, but none of Jarvis");
    const auto version = connection.query_integer("PRAGMA user_version");
    if (version > known)
        throw jarvis_plugin::Failure(JARVIS_INVALID,
                                     connection.name() + ": has format " + std::to_string(version) +
                                         ", this storage plugin (sqlite " JARVIS_VERSION ") knows formats up to " +
                                         std::to_string(known) + ": start the newer Jarvis that wrote it");
}

} // namespace

DatabaseError::DatabaseError(int sqlite_code, const std::string& message)
    : Failure(failure_code(sqlite_code), message), sqlite_code_(sqlite_code)
{}

Statement::Statement(Connection& connection, std::string_view sql) : connection_(&connection)
{
    sqlite3_stmt* statement = nullptr;
    const int code = sqlite3_prepare_v3(connection.handle(), sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    statement_.reset(statement);
    if (code != SQLITE_OK)
        connection.fail(code, "prepare a query");
}

void Statement::bind_one(int index, std::string_view bytes)
{
    // A null pointer would bind NULL.
    const char* data = bytes.data() ? bytes.data() : "";
    if (const int code = sqlite3_bind_blob64(statement_.get(), index, data, bytes.size(), SQLITE_STATIC);
        code != SQLITE_OK)
        connection_->fail(code, "take the value");
}

void Statement::bind_one(int index, std::int64_t number)
{
    if (const int code = sqlite3_bind_int64(statement_.get(), index, number); code != SQLITE_OK)
        connection_->fail(code, "take the value");
}

bool Statement::Run::step()
{
    const int code = sqlite3_step(statement_);
    if (code == SQLITE_ROW)
        return true;
    if (code != SQLITE_DONE)
        connection_.fail(code, sqlite3_stmt_readonly(statement_) ? "read" : "write");
    return false;
}

std::string_view Statement::Run::bytes(int column) const
{
    const void* data = sqlite3_column_blob(statement_, column);
    return {static_cast<const char*>(data), static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

Connection::Connection(const std::string& path, Access access, const std::string& vfs)
    : name_(std::filesystem::path(path).filename())
{
    // NOMUTEX: each connection has one user at a time.
    const int flags = (access == Access::read_write ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY) |
                      SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | (path.starts_with("file:") ? SQLITE_OPEN_URI : 0);
    sqlite3* handle = nullptr;
    const int code = sqlite3_open_v2(path.c_str(), &handle, flags, vfs.empty() ? nullptr : vfs.c_str());
    handle_.reset(handle);
    if (code != SQLITE_OK)
        fail(code, "be opened");
    // The one writer meets nobody but readers of a check; a lock is a matter of milliseconds.
    sqlite3_busy_timeout(handle, 5000);
}

void Connection::fail(int code, std::string_view action) const
{
    std::string message = name_ + ": cannot " + std::string(action) + ": ";
    message += handle_ ? sqlite3_errmsg(handle_.get()) : sqlite3_errstr(code);
    if (const int cause = handle_ ? sqlite3_system_errno(handle_.get()) : 0; cause != 0 && (code & 0xff) != SQLITE_FULL)
        message += " (" + std::generic_category().message(cause) + ")";
    throw DatabaseError(handle_ ? sqlite3_extended_errcode(handle_.get()) : code, message);
}

void Connection::execute(const char* sql)
{
    if (const int code = sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr); code != SQLITE_OK)
        fail(code, "write");
}

std::int64_t Connection::query_integer(std::string_view sql)
{
    Statement statement = prepare(sql);
    auto row = statement.run();
    return row.step() ? row.integer(0) : 0;
}

Transaction::Transaction(Connection& connection, Kind kind) : connection_(connection)
{
    connection_.execute(kind == Kind::write ? "BEGIN IMMEDIATE" : "BEGIN");
}

Transaction::~Transaction()
{
    // SQLite rolls back by itself after some errors; a second rollback then only says so.
    if (open_)
        sqlite3_exec(connection_.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
}

void Transaction::commit()
{
    connection_.execute("COMMIT");
    open_ = false;
}

std::unique_ptr<Connection> open_writer(const std::string& path, const std::string& vfs, const Format& format)
{
    make_private_file(path);
    auto connection = std::make_unique<Connection>(path, Access::read_write, vfs);
    // FULL: each commit syncs the write-ahead log. A thousand pages of log are 4 MiB that a full disk must still have.
    connection->execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 1000;"
                        "PRAGMA journal_size_limit = 8388608; PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY");
    if (connection->query_integer("SELECT count(*) FROM sqlite_schema") == 0) {
        Transaction transaction(*connection, Transaction::Kind::write);
        connection->execute(format.schema);
        connection->execute(("PRAGMA application_id = " + std::to_string(application_id)).c_str());
        connection->execute(("PRAGMA user_version = " + std::to_string(format.version)).c_str());
        transaction.commit();
    }
    check_format(*connection, format.version);
    return connection;
}

void settle(Connection& connection)
{
    const int code =
        sqlite3_wal_checkpoint_v2(connection.handle(), nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
    if (code != SQLITE_OK)
        connection.fail(code, "move its log into the database");
}

Readers::Lease::~Lease()
{
    const std::lock_guard lock(readers_.mutex_);
    if (readers_.idle_.size() < 4)
        readers_.idle_.push_back(std::move(connection_));
}

Readers::Lease Readers::take()
{
    {
        const std::lock_guard lock(mutex_);
        if (!idle_.empty()) {
            auto connection = std::move(idle_.back());
            idle_.pop_back();
            return Lease(*this, std::move(connection));
        }
    }
    std::unique_ptr<Connection> connection;
    try {
        connection = std::make_unique<Connection>(path_, Access::read_only, vfs_);
        check_format(*connection, version_);
    } catch (const DatabaseError&) {
        // A database at rest in a folder that we cannot write to: there is no log, and nobody can begin one here.
        if (::access((path_ + "-wal").c_str(), F_OK) == 0 || ::access(path_.c_str(), F_OK) != 0)
            throw;
        connection =
            std::make_unique<Connection>("file:" + escape_uri(path_) + "?immutable=1", Access::read_only, vfs_);
        check_format(*connection, version_);
    }
    return Lease(*this, std::move(connection));
}

void load_vfs_module(const std::string& file)
{
    Connection scratch(":memory:", Access::read_write, "");
    sqlite3_db_config(scratch.handle(), SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 1, nullptr);
    char* text = nullptr;
    if (sqlite3_load_extension(scratch.handle(), file.c_str(), nullptr, &text) != SQLITE_OK) {
        const std::unique_ptr<char, void (*)(void*)> owner(text, sqlite3_free);
        throw jarvis_plugin::Failure(JARVIS_INVALID, "vfs_module " + file + ": " + (text ? text : "cannot be loaded"));
    }
}

} // namespace sqlite_storage
