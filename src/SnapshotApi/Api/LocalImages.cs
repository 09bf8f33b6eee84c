using SnapshotApi.Persistence;
using SnapshotApi.Stores;

namespace SnapshotApi.Api;

/// <summary>The images that this process reaches: in its host's directory store, or in a network store.</summary>
internal sealed class LocalImages(
    DirectoryStore directory,
    IEnumerable<IImageStore> stores,
    IOptions<NodeOptions> node,
    IOptions<ServiceOptions> service)
{
    /// <summary>Opens an image's file; the caller disposes it.</summary>
    /// <exception cref="SnapshotException">
    /// image_not_local: it is on another node. image_not_found: it is gone. store_failed: it is not what was recorded.
    /// </exception>
    public FileStream OpenRead(ImageRecord image)
    {
        FileStream file = Find(image) ?? throw Missing(image);
        if (file.Length != image.Image.SizeBytes)
        {
            long length = file.Length;
            file.Dispose();
            throw new SnapshotException(
                SnapshotErrorCode.StoreFailed,
                $"the store's file has {length} bytes, {image.Image.SizeBytes} were recorded");
        }

        return file;
    }

    /// <summary>Deletes an image's file; nothing happens if it is gone already.</summary>
    /// <exception cref="SnapshotException">image_not_local: it is on another node. store_failed.</exception>
    public async Task DeleteAsync(ImageRecord image, CancellationToken cancellationToken)
    {
        using (FileStream? file = Find(image))
        {
            if (file is null && image.Image.Store == directory.Name && !IsOfThisNode(image))
            {
                throw Missing(image);
            }
        }

        IImageStore store = stores.FirstOrDefault(s => s.Name == image.Image.Store && s.IsConfigured)
            ?? throw new SnapshotException(
                SnapshotErrorCode.StoreFailed, $"the store {image.Image.Store} is not configured here");
        await store.DeleteAsync(image.Image.Id, cancellationToken).ConfigureAwait(false);
    }

    private FileStream? Find(ImageRecord image)
    {
        try
        {
            return image.Image.Store == directory.Name ? directory.OpenRead(image.Image) : null;
        }
        catch (UnauthorizedAccessException) when (!IsOfThisNode(image))
        {
            // A process in role api that sees the directory but may not read it: the node can serve the file.
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SnapshotException(SnapshotErrorCode.StoreFailed, "the image's file can't be read", e);
        }
    }

    private bool IsOfThisNode(ImageRecord image) => service.Value.Role.IsNode() && image.Node == node.Value.Name;

    private SnapshotException Missing(ImageRecord image)
    {
        bool isElsewhere = image.Image.Store != directory.Name || !IsOfThisNode(image);
        string place = image.Image.Store != directory.Name
            ? $"in the store {image.Image.Store} under the id {image.Image.Location}; ask there"
            : isElsewhere ? $"on node {image.Node}; ask there"
            : "gone from its store";
        return new SnapshotException(
            isElsewhere ? SnapshotErrorCode.ImageNotLocal : SnapshotErrorCode.ImageNotFound,
            $"the file of image {image.Image.Id} is {place}");
    }
}
