// An optional value on the heap with the semantics of a value: what most objects of a kind do not have, and would
// otherwise pay for in size.
#pragma once

#include <memory>
#include <utility>

namespace jarvis {

template <class T>
class Box {
    std::unique_ptr<T> value_;

public:
    Box() = default;
    Box(T value) : value_(std::make_unique<T>(std::move(value))) {}
    Box(const Box& other) : value_(other.value_ ? std::make_unique<T>(*other.value_) : nullptr) {}
    Box(Box&&) noexcept = default;
    Box& operator=(Box other) noexcept
    {
        value_.swap(other.value_);
        return *this;
    }
    ~Box() = default;

    explicit operator bool() const noexcept { return value_ != nullptr; }
    T& operator*() { return *value_; }
    const T& operator*() const { return *value_; }
    T* operator->() { return value_.get(); }
    const T* operator->() const { return value_.get(); }
    void reset() { value_.reset(); }

    friend bool operator==(const Box& a, const Box& b)
    {
        return a.value_ && b.value_ ? *a.value_ == *b.value_ : !a.value_ == !b.value_;
    }
};

} // namespace jarvis
