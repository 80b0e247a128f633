# Draws the data that report.py wrote to a folder, sizes.tsv, relative.tsv and generators.tsv, as pictures
# beside them:
#   gnuplot -e "folder='FOLDER'; about='CPU, compiler, date'" plot.gnuplot
set datafile separator "\t"
set datafile missing "?"
set terminal pngcairo size 1400,760 font "Sans,12" background "white"
set grid lc rgb "#dddddd"
set border 3
set tics nomirror out

# Generators: a group of bars each, a bar for each vector tier.
generators = folder . "/generators.tsv"
stats generators using 2 skip 1 nooutput
bars = STATS_columns - 1
array colour[4] = ["#b8cfe5", "#6a9fd0", "#1b7fc4", "#0b3c66"]
gap = 2
set output folder . "/generators.png"
set title "generators: nanoseconds per element (a random byte each), in the first-level cache\n" . about font ",14" noenhanced
set style data histograms
set style histogram clustered gap 2
set style fill solid
set boxwidth 0.9
set ylabel "ns per element"
set yrange [0:*]
set key top right
plot for [i=2:bars + 1] generators using i:xtic(1) lc rgb colour[i - 1 + 4 - bars] title columnheader(i), \
     for [i=2:bars + 1] generators skip 1 \
         using ($0 + (i - 2 - (bars - 1) / 2.0) / (bars + gap)):i:(sprintf("%.3f", column(i))) \
         with labels offset 0,0.6 notitle

# Sizes: the floor filled, our tiers solid, all others dashed.
sizes = folder . "/sizes.tsv"
stats sizes using 2 skip 1 nooutput
columns = STATS_columns
array other[8] = ["#e07b26", "#a63603", "#238b45", "#6a51a3", "#c51b8a", "#8c6d31", "#666666", "#111111"]
tiers = words(system("head -n 1 " . sizes . " | grep -o dropwise"))
set output folder . "/sizes.png"
set title "f32 dropout, p = 0.1: nanoseconds per element over the size of the tensor\n" . about font ",14" noenhanced
set logscale xy
set yrange [0.01:*]
set ylabel "ns per element, logarithmic"
set xrange [4:268435456]
set xlabel "size of the tensor, logarithmic"
set xtics ("4 B" 4, "64 B" 64, "1 KiB" 1024, "4 KiB" 4096, "16 KiB" 16384, "64 KiB" 65536, \
           "256 KiB" 262144, "1 MiB" 1048576, "4 MiB" 4194304, "16 MiB" 16777216, "64 MiB" 67108864, \
           "256 MiB" 268435456) rotate by -30
set key outside right top
plot sizes using 1:2 with filledcurves y1=0.01 fc rgb "#e8e8e8" title columnheader(2), \
     for [i=3:tiers + 2] sizes using 1:i with linespoints lc rgb colour[i - 2 + 4 - tiers] lw 3 pt 7 ps 0.8 \
         title columnheader(i), \
     for [i=tiers + 3:columns] sizes using 1:i with linespoints lc rgb other[(i - tiers - 3) % 8 + 1] lw 1.8 \
         dt 2 pt 7 ps 0.6 title columnheader(i)

# Relative to y = s * x: a colour for each tier, a dash for each p. Where y = s * x leaves a cache, curves fall;
# where they rise, there is a cliff of ours.
relative = folder . "/relative.tsv"
stats relative using 1 skip 1 nooutput
vectors = (STATS_columns - 1) / 2
set output folder . "/relative.png"
set title "f32 dropout: time relative to y = s*x, the better of ordinary and streaming stores\n" . about font ",14" noenhanced
set autoscale yfixmax
set yrange [0.8:*]
set ylabel "times as long, logarithmic"
set ytics (1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24)
set xrange [1024:134217728]
set xtics ("1 KiB" 1024, "4 KiB" 4096, "16 KiB" 16384, "64 KiB" 65536, "256 KiB" 262144, "1 MiB" 1048576, \
           "4 MiB" 4194304, "16 MiB" 16777216, "128 MiB" 134217728) rotate by -30
set key inside right top
plot for [i=2:2 * vectors + 1] relative using 1:i with linespoints lc rgb colour[i / 2 + 4 - vectors] lw 3 \
         dt 1 + i % 2 pt 7 ps 0.8 title columnheader(i)
