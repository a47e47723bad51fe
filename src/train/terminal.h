#pragma once
// One file descriptor that people look at: whole lines, and below them, if it is a terminal, one or several that
// change.
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace steepest {

// Safe from several threads. What cannot be written is dropped: nobody is looking.
class Terminal {
public:
    // `terminal` and `width` (columns) are found out where not given, the width anew each time.
    Terminal(int descriptor, std::optional<bool> terminal, std::optional<int> width);

    // Whether draw() shows anything.
    bool live() const { return live_; }
    // A line, or several, above the live ones, which stay.
    void message(std::string_view text);
    // Replaces the live line, or lines; each cut so that it never wraps. ASCII. More of them than rows() are not shown.
    void draw(std::string_view text);
    // Lines that draw() can show, now.
    int rows() const;
    void erase();

private:
    std::string live_text();
    std::string clear_text() const;
    int columns() const;
    void put(std::string_view text) const;

    int descriptor_;
    bool live_;
    std::optional<int> width_;
    std::mutex mutex_;
    std::string text_;
    int shown_ = 0;  // lines
};

}  // namespace steepest
