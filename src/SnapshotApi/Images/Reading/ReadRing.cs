using System.Threading.Tasks.Sources;
using SnapshotApi.Nbd;

namespace SnapshotApi.Images;

/// <summary>
/// A fixed ring of batches between the connections' threads, which fill them in any order, and one consumer, which
/// takes them in the order of the disk. The first failure ends it for all. Allocates nothing per batch.
/// </summary>
/// <remarks>
/// A batch is free, or belongs to the thread that claimed it, or - once it is the oldest and finished - to the
/// consumer. Lost wake-ups cannot happen: a thread that found no free batch is noted under the lock, and its wake-up
/// stays pending until it polls.
/// </remarks>
internal sealed class ReadRing : IValueTaskSource<ReadBatch?>, IDisposable
{
    private readonly ClusterMap _map;
    private readonly int _requestBytes;
    private readonly IReadOnlyList<NbdConnection> _connections;
    private readonly ReadBatch[] _batches;
    private readonly bool[] _isFinished;
    private readonly bool[] _isWaiting;
    private readonly Lock _gate = new();
    private ManualResetValueTaskSourceCore<ReadBatch?> _next = new() { RunContinuationsAsynchronously = true };
    private Exception? _failure;
    private bool _consumerWaits;
    private long _cluster;
    private long _claimed;
    private long _taken;
    private long _released;

    public ReadRing(
        ClusterMap map, IReadOnlyList<NbdConnection> connections, int batchCount, int batchBytes, int requestBytes)
    {
        _map = map;
        _connections = connections;
        _requestBytes = requestBytes;
        _cluster = map.NextData(0);
        _batches = [.. Enumerable.Range(0, batchCount).Select(slot => new ReadBatch(slot, batchBytes))];
        _isFinished = new bool[batchCount];
        _isWaiting = new bool[connections.Count];
    }

    /// <summary>Everything is claimed, or it failed: a thread without reads in flight may go home.</summary>
    public bool IsClosed
    {
        get
        {
            lock (_gate)
            {
                return _failure is not null || _cluster >= _map.ClusterCount;
            }
        }
    }

    public bool IsFailed => Volatile.Read(ref _failure) is not null;

    public ReadBatch this[int slot] => _batches[slot];

    /// <summary>Gives a planned batch to a thread; null: none is free, and the thread is woken when one is.</summary>
    public ReadBatch? TryClaim(int connection)
    {
        lock (_gate)
        {
            if (_failure is not null || _cluster >= _map.ClusterCount)
            {
                return null;
            }

            if (_claimed - _released == _batches.Length)
            {
                _isWaiting[connection] = true;
                return null;
            }

            _isWaiting[connection] = false;
            ReadBatch batch = _batches[_claimed++ % _batches.Length];
            _isFinished[batch.Slot] = false;
            _cluster = _map.NextData(batch.Plan(_map, _cluster, _requestBytes));
            if (_cluster >= _map.ClusterCount)
            {
                WakeAll();
            }

            return batch;
        }
    }

    /// <summary>All reads of the batch are done.</summary>
    public void Finish(ReadBatch batch)
    {
        lock (_gate)
        {
            _isFinished[batch.Slot] = true;
            OfferNext();
        }
    }

    /// <summary>Ends it.</summary>
    /// <returns>The first failure, which may be an earlier one.</returns>
    public Exception Fail(Exception failure)
    {
        lock (_gate)
        {
            if (_failure is not null)
            {
                return _failure;
            }

            Volatile.Write(ref _failure, failure);
            if (_consumerWaits)
            {
                _consumerWaits = false;
                _next.SetException(failure);
            }

            WakeAll();
            return failure;
        }
    }

    /// <summary>The next batch in the order of the disk, null after the last. For one consumer.</summary>
    /// <exception cref="Exception">What <see cref="Fail"/> was given.</exception>
    public ValueTask<ReadBatch?> NextAsync()
    {
        lock (_gate)
        {
            _next.Reset();
            if (_failure is not null)
            {
                _next.SetException(_failure);
            }
            else
            {
                _consumerWaits = true;
                OfferNext();
            }

            return new ValueTask<ReadBatch?>(this, _next.Version);
        }
    }

    /// <summary>The consumer is done with the batch that it took last.</summary>
    public void Release()
    {
        lock (_gate)
        {
            _released++;
            for (int i = 0; i < _isWaiting.Length; i++)
            {
                if (_isWaiting[i])
                {
                    _isWaiting[i] = false;
                    _connections[i].Wake();
                    return;
                }
            }
        }
    }

    /// <summary>Only after the connections are disposed or idle: reads in flight write into the buffers.</summary>
    public void Dispose()
    {
        foreach (ReadBatch batch in _batches)
        {
            batch.Dispose();
        }
    }

    ReadBatch? IValueTaskSource<ReadBatch?>.GetResult(short token) => _next.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<ReadBatch?>.GetStatus(short token) => _next.GetStatus(token);

    void IValueTaskSource<ReadBatch?>.OnCompleted(
        Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _next.OnCompleted(continuation, state, token, flags);

    private void OfferNext()
    {
        if (!_consumerWaits)
        {
            return;
        }

        if (_taken < _claimed && _isFinished[_taken % _batches.Length])
        {
            _consumerWaits = false;
            _next.SetResult(_batches[_taken++ % _batches.Length]);
        }
        else if (_taken == _claimed && _cluster >= _map.ClusterCount)
        {
            _consumerWaits = false;
            _next.SetResult(null);
        }
    }

    private void WakeAll()
    {
        foreach (NbdConnection connection in _connections)
        {
            connection.Wake();
        }
    }
}

/// <summary>
/// A buffer's worth of data in the order of the disk, read by one connection: scattered clusters are packed together,
/// so that a fragmented disk still makes large writes. Used over and over.
/// </summary>
internal sealed class ReadBatch : IDisposable
{
    private readonly DiskRead[] _reads;
    private int _readCount;
    private int _submitted;
    private int _finished;

    /// <param name="slot">Its place in the ring.</param>
    /// <param name="capacityBytes">A multiple of the cluster.</param>
    public ReadBatch(int slot, int capacityBytes)
    {
        Slot = slot;
        Buffer = new NbdBuffer(capacityBytes);
        _reads = new DiskRead[capacityBytes / ClusterMap.ClusterBytes];
    }

    public int Slot { get; }

    public NbdBuffer Buffer { get; }

    /// <summary>Bytes planned; contiguous from the start of the buffer.</summary>
    public int LengthBytes { get; private set; }

    public ReadOnlySpan<DiskRead> Reads => _reads.AsSpan(0, _readCount);

    public bool IsSubmitted => _submitted == _readCount;

    public bool IsFinished => _finished == _readCount;

    /// <summary>Fills the batch from the map.</summary>
    /// <param name="map">What has to be read.</param>
    /// <param name="cluster">Where to go on.</param>
    /// <param name="requestBytes">Longest single read.</param>
    /// <returns>Where the next batch goes on.</returns>
    public long Plan(ClusterMap map, long cluster, int requestBytes)
    {
        (_readCount, _submitted, _finished, LengthBytes) = (0, 0, 0, 0);
        while (LengthBytes < Buffer.LengthBytes && (cluster = map.NextData(cluster)) < map.ClusterCount)
        {
            int room = Math.Min(requestBytes, Buffer.LengthBytes - LengthBytes);
            long end = map.NextHole(cluster, cluster + (room / ClusterMap.ClusterBytes));
            long offset = cluster * ClusterMap.ClusterBytes;
            int length = (int)(Math.Min(end * ClusterMap.ClusterBytes, map.SizeBytes) - offset);
            _reads[_readCount++] = new DiskRead(offset, LengthBytes, length);
            LengthBytes += length;
            cluster = end;
        }

        return cluster;
    }

    public void SubmitNext(NbdReader reader)
    {
        ref readonly DiskRead read = ref _reads[_submitted++];
        reader.Submit(read.OffsetBytes, Buffer, read.BufferOffsetBytes, read.LengthBytes, Slot);
    }

    public void FinishOne() => _finished++;

    public void Dispose() => ((IDisposable)Buffer).Dispose();
}

/// <summary>One read request of a <see cref="ReadBatch"/>.</summary>
/// <param name="OffsetBytes">Where on the disk.</param>
/// <param name="BufferOffsetBytes">Where in the batch's buffer.</param>
/// <param name="LengthBytes">How much.</param>
internal readonly record struct DiskRead(long OffsetBytes, int BufferOffsetBytes, int LengthBytes);
