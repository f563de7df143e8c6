// The C++ layer over plugin.h, header-only, C++20: an author writes a class, and <kind>.hpp makes the table from it.
// Failures are thrown as jarvis_plugin::Failure; every exception is caught at the edge and becomes an error code and a
// message.
#ifndef JARVIS_PLUGIN_HPP
#define JARVIS_PLUGIN_HPP

#include <jarvis/plugin.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <exception>
#include <iterator>
#include <new>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

namespace jarvis_plugin {

class Failure : public std::runtime_error {
    jarvis_code code_;

public:
    Failure(jarvis_code code, const std::string& message) : std::runtime_error(message), code_(code) {}
    jarvis_code code() const noexcept { return code_; }
};

inline std::string_view view(const void* data, std::uint64_t size) noexcept
{
    return {static_cast<const char*>(data), static_cast<std::size_t>(size)};
}
inline std::string_view view(jarvis_bytes bytes) noexcept
{
    return view(bytes.data, bytes.size);
}
inline jarvis_bytes bytes(std::string_view text) noexcept
{
    return {text.data(), text.size()};
}

// Fills an error or text buffer: cut to fit, closed with a NUL.
inline void write_text(char* buffer, std::uint32_t size, std::string_view text) noexcept
{
    if (!buffer || size == 0)
        return;
    const std::size_t length = std::min<std::size_t>(text.size(), size - 1);
    if (length > 0)
        std::memcpy(buffer, text.data(), length);
    buffer[length] = '\0';
}

// The edge: runs what the author wrote and turns what it throws into a code and a message.
template <class Work>
std::int32_t guarded(char* error, std::uint32_t error_size, Work&& work) noexcept
{
    try {
        work();
        return JARVIS_OK;
    } catch (const Failure& failure) {
        write_text(error, error_size, failure.what());
        return failure.code();
    } catch (const std::bad_alloc&) {
        write_text(error, error_size, "out of memory");
    } catch (const std::exception& other) {
        write_text(error, error_size, other.what());
    } catch (...) {
        write_text(error, error_size, "the plugin threw something that is no std::exception");
    }
    return JARVIS_UNAVAILABLE;
}

// An array whose elements may be shorter or longer than T, since the other side was compiled with another version. What
// a shorter element lacks reads as zero.
template <class T>
class Array {
    const char* first_ = nullptr;
    std::uint64_t count_ = 0;
    std::size_t step_ = sizeof(T);

public:
    Array(const T* first, std::uint64_t count, std::uint32_t element_size)
        : first_(reinterpret_cast<const char*>(first)), count_(count), step_(element_size)
    {}
    std::uint64_t size() const noexcept { return count_; }
    bool empty() const noexcept { return count_ == 0; }
    T operator[](std::uint64_t index) const noexcept
    {
        T element{};
        std::memcpy(static_cast<void*>(&element), first_ + index * step_, std::min(step_, sizeof(T)));
        return element;
    }

    class Iterator {
        const Array* array_;
        std::uint64_t index_;

    public:
        Iterator(const Array* array, std::uint64_t index) : array_(array), index_(index) {}
        T operator*() const noexcept { return (*array_)[index_]; }
        Iterator& operator++() noexcept
        {
            ++index_;
            return *this;
        }
        bool operator==(const Iterator&) const = default;
    };
    Iterator begin() const noexcept { return {this, 0}; }
    Iterator end() const noexcept { return {this, count_}; }
};

// Writes to the daemon's log.
class Log {
    const jarvis_host* host_;

    void write(std::uint32_t level, std::string_view text) const noexcept
    {
        if (host_ && JARVIS_HAS(host_->struct_size, jarvis_host, log) && host_->log)
            host_->log(host_->context, level, text.data(), text.size());
    }

public:
    explicit Log(const jarvis_host* host = nullptr) noexcept : host_(host) {}
    void debug(std::string_view text) const noexcept { write(JARVIS_LOG_DEBUG, text); }
    void info(std::string_view text) const noexcept { write(JARVIS_LOG_INFO, text); }
    void warning(std::string_view text) const noexcept { write(JARVIS_LOG_WARNING, text); }
    void error(std::string_view text) const noexcept { write(JARVIS_LOG_ERROR, text); }
};

// What open() was given. A name that the plugin did not declare is a bug of the plugin and throws.
class Settings {
    const jarvis_open& args_;

    const jarvis_value& find(std::string_view name, std::uint32_t type) const
    {
        for (std::uint32_t i = 0; i < args_.value_count; ++i) {
            const jarvis_value& value = *jarvis_value_at(&args_, i);
            if (name == value.name && value.type == type)
                return value;
        }
        throw Failure(JARVIS_INVALID, "setting " + std::string(name) + ": not declared with this type");
    }

public:
    explicit Settings(const jarvis_open& args) noexcept : args_(args) {}
    std::string_view string(std::string_view name) const
    {
        const jarvis_value& value = find(name, JARVIS_SETTING_STRING);
        return view(value.text, value.text_size);
    }
    std::int64_t integer(std::string_view name) const { return find(name, JARVIS_SETTING_INTEGER).integer; }
    bool boolean(std::string_view name) const { return find(name, JARVIS_SETTING_BOOLEAN).integer != 0; }
    std::chrono::microseconds duration(std::string_view name) const
    {
        return std::chrono::microseconds(find(name, JARVIS_SETTING_DURATION).integer);
    }
    // In bytes.
    std::int64_t size(std::string_view name) const { return find(name, JARVIS_SETTING_SIZE).integer; }
    Log log() const noexcept { return Log(args_.host); }
};

// How the author names the plugin; `settings` is static storage.
struct About {
    const char* name;
    const char* version;
    const char* text;
    std::span<const jarvis_setting> settings = {};
};

inline jarvis_plugin_header header(const char* kind, const About& about, std::size_t table_size) noexcept
{
    jarvis_plugin_header result{};
    result.abi_major = JARVIS_ABI_MAJOR;
    result.abi_minor = JARVIS_ABI_MINOR;
    result.struct_size = static_cast<std::uint32_t>(table_size);
    result.setting_size = sizeof(jarvis_setting);
    result.kind = kind;
    result.name = about.name;
    result.version = about.version;
    result.text = about.text;
    result.settings = about.settings.data();
    result.setting_count = static_cast<std::uint32_t>(about.settings.size());
    return result;
}

} // namespace jarvis_plugin

#endif
